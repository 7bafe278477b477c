// Sends work to OpenAI-compatible servers at the times it is due, and records how each request went.
//
// The load is open: a request is sent when it is due, whatever became of the others, and its times count from when it
// was due; what waits for its session's last answer is due when that ends. So a server that falls behind shows it. A
// driver never hangs: every request has a deadline for its first token, one between pieces, and one for the whole.
#pragma once

#include <boost/asio/io_context.hpp>
#include <optional>
#include <string>
#include <vector>

#include "eval/kit/progress.h"
#include "eval/workload/answer_stream.h"
#include "eval/workload/work.h"

namespace planetserve::eval {

enum class Policy : std::uint8_t {
    round_robin,        // in turn; a request whose server fails has failed
    least_outstanding,  // where the fewest of ours are under way; before its first token, a request that fails is
                        // tried at each of the others
};

struct DriverOptions {
    std::vector<std::string> endpoints;  // base URLs, as HttpTarget::parse takes them
    Policy policy = Policy::round_robin;
    std::string model;    // asked of the endpoints when empty
    std::string api_key;  // none when empty
    std::uint64_t seed = 1;
    bool ignore_eos = false;  // answers as long as max_tokens: vLLM and llama-server know it
    Duration first_token_deadline = 2min;
    Duration stall_deadline = 1min;  // between two pieces of an answer
    Duration request_deadline = 10min;
    std::size_t in_flight_limit = 2048;  // a request due beyond it waits, and its times show it
};

struct RequestRecord {
    std::size_t index = 0;
    std::string session;
    std::size_t endpoint = 0;  // that answered, or was tried last
    unsigned attempts = 0;
    double due = 0;   // seconds from the start of the run
    double sent = 0;  // the first time
    // From when it was due, in seconds; absent in what failed before.
    std::optional<double> ttft;
    std::optional<double> latency;
    std::optional<double> tpot;  // seconds a token after the first; absent with fewer than two
    std::optional<Usage> usage;
    std::uint64_t pieces = 0;
    unsigned status = 0;  // of HTTP; 0 when there was no reply
    std::string error;    // empty: a complete answer

    bool ok() const { return error.empty(); }
    std::uint64_t completion_tokens() const { return usage ? usage->completion_tokens : pieces; }
};

// Runs the context, on this thread, until every item is answered or has failed. The records are in the items' order.
// invalid_argument: an endpoint or key that cannot be, an item without a time. unavailable: no model was named and no
// endpoint told of one.
Result<std::vector<RequestRecord>> drive(boost::asio::io_context& context, const DriverOptions& options,
                                         const std::vector<WorkItem>& items, Progress& progress);

}  // namespace planetserve::eval
