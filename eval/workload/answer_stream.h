// A streamed answer of an OpenAI-compatible server, read as its bytes come, without I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"
#include "inference/event_stream.h"

namespace planetserve::eval {

struct Usage {
    std::uint64_t prompt_tokens = 0;
    std::uint64_t completion_tokens = 0;
    std::optional<std::uint64_t> cached_tokens;  // servers that do not say have none
};

class AnswerStream {
public:
    static constexpr std::size_t event_limit = 4U << 20;

    // Bytes of the body and when they came. malformed: it is no such stream; internal: the server told of an error.
    Status feed(ByteView bytes, Time now);

    // Text, reasoning or a tool call: what a reader sees.
    std::optional<Time> first_token() const { return first_; }
    std::optional<Time> last_token() const { return last_; }
    std::uint64_t pieces() const { return pieces_; }  // events with such content; one is mostly one token
    const std::optional<Usage>& usage() const { return usage_; }
    // A reason to finish was given, or the end was marked.
    bool complete() const { return finished_ || done_; }

private:
    void take_event(std::string_view data, Time now);

    inference::EventStream events_{event_limit};
    std::optional<Time> first_;
    std::optional<Time> last_;
    std::uint64_t pieces_ = 0;
    std::optional<Usage> usage_;
    std::optional<Error> error_;
    bool finished_ = false;
    bool done_ = false;
};

}  // namespace planetserve::eval
