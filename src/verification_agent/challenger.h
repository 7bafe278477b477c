// Sends challenges to model nodes through the overlay, as a user's requests are sent (docs/protocols/verification.md),
// and checks the signatures of the answers.
//
// Pure: the overlay is a Service, and each event brings its time. Not thread-safe.
#pragma once

#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"
#include "inference/service.h"
#include "scoring/signed_answer.h"
#include "verification_agent/challenge.h"

namespace planetserve::verification_agent {

// Whose answer a challenge wants. A node may forward any request; one that served the conversation before answers
// itself, so the request claims that where the node itself has to answer.
enum class Answerer : std::uint8_t { any, node_itself };

struct ChallengeTask {
    NodeId node;
    std::string model;
    std::uint32_t index = 0;  // of the node's challenges in this epoch
    Challenge challenge;
    IdempotencyId id;  // of the request; its nonce follows from it
    Time at{};         // when to ask
    Time until{};      // the deadline of the answer
    // With less time than this left when its turn comes, the challenge is skipped without a result.
    Duration least{};
    Answerer answerer = Answerer::any;
};

enum class ChallengeOutcome : std::uint8_t {
    // A node signed the answer. It counts for the node that signed: the asked one, as no other's is taken.
    answered,
    // The asked node sent an answer that no node signed, that answers another request, or that broke off.
    not_signed,
    no_answer,
    // Nothing counts against the asked node, because
    // - the unsigned answer came from another node, to which it forwarded the request, or
    // - a stream arrived whole without a signature, as the streams of some models do, or
    // - the answer was still arriving at the deadline, or
    // - there was silence, but less time than time_to_answer(): a reply that is not streamed arrives only when
    // complete.
    no_verdict,
};
std::string_view to_string(ChallengeOutcome outcome);

struct ChallengeResult {
    ChallengeTask task;
    ChallengeOutcome outcome = ChallengeOutcome::no_answer;
    std::optional<scoring::SignedAnswer> answer = std::nullopt;  // when answered
    std::string why = {};                                        // the reason, when not
};

struct ChallengerLimits {
    // An answer of a challenge is far smaller; more would let a model node fill the verification node's memory.
    std::size_t reply_bytes = 1 << 20;
    // Streams repeat the request's fields in each event.
    std::size_t stream_bytes = 32 << 20;
    // All challenges of an epoch: 128 nodes on average, with some tens each.
    std::size_t tasks = 4096;
    // Requests at once: one to a node, and few where there are few nodes, which may share a machine. At least two, so
    // that a silent node does not keep the others waiting.
    std::size_t fewest_at_once = 2;
    std::size_t most_at_once = 16;
};

class Challenger {
public:
    using OnResult = std::function<void(ChallengeResult)>;
    static constexpr ChallengerLimits limits{};

    // The overlay outlives the challenger. Results arrive from within on_timer; on_result must not destroy the
    // challenger.
    Challenger(inference::Service& overlay, OnResult on_result);
    ~Challenger();

    // Error: exhausted when limits.tasks wait or run.
    Status add(ChallengeTask task);
    // Cancels all tasks, without results.
    void clear();
    std::size_t tasks() const { return waiting_.size() + running_.size(); }

    void on_timer(Now now);
    // A time that has passed when a reply ended since the last on_timer.
    Time next_timer() const;

private:
    class Asking;
    using Waiting = std::multimap<Time, ChallengeTask>;

    // The first task whose node answers no other one; the end if there is none, or no room.
    Waiting::const_iterator next() const;

    inference::Service& overlay_;
    OnResult on_result_;
    Waiting waiting_;
    std::map<std::uint64_t, std::unique_ptr<Asking>> running_;
    std::uint64_t next_number_ = 1;
    std::size_t at_once_ = 1;
    Time last_timer_{};
};

}  // namespace planetserve::verification_agent
