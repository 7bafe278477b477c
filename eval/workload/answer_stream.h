// A streamed answer of an OpenAI-compatible server, read as its bytes come, without I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"
#include "base/time.h"

namespace planetserve::eval {

// The "data:" lines of a text/event-stream, joined where an event has several; comments and other fields are passed
// over.
class EventReader {
public:
    static constexpr std::size_t event_limit = 4U << 20;

    // Calls on_event for each event that is complete. malformed when one is larger than the limit.
    Status feed(std::string_view bytes, const std::function<void(std::string_view data)>& on_event);

private:
    void take_line(std::string_view line, const std::function<void(std::string_view data)>& on_event);

    std::string line_;
    std::string data_;
    bool has_data_ = false;
    bool after_return_ = false;
};

struct Usage {
    std::uint64_t prompt_tokens = 0;
    std::uint64_t completion_tokens = 0;
    std::optional<std::uint64_t> cached_tokens;  // servers that do not say have none
};

class AnswerStream {
public:
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

    EventReader events_;
    std::optional<Time> first_;
    std::optional<Time> last_;
    std::uint64_t pieces_ = 0;
    std::optional<Usage> usage_;
    std::optional<Error> error_;
    bool finished_ = false;
    bool done_ = false;
};

}  // namespace planetserve::eval
