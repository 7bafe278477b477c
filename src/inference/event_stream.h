// The events of a text/event-stream (HTML standard, "server-sent events"), read as the bytes come.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "inference/service.h"

namespace planetserve::inference {

// By its content type.
bool is_event_stream(const ReplyHead& head);

// Appends an event with this data. Requires: the data has no line ends.
void write_event(std::string_view data, Bytes& out);

// Where the last event ends that is whole and ends after `from`; 0 where there is none.
std::size_t end_of_events(std::string_view bytes, std::size_t from);

// Gives the data of each event: its "data:" lines, joined by line ends. Skips comments, other fields, and an event that
// no empty line ends.
class EventStream {
public:
    // One line, or the data of one event, unless another limit is given.
    static constexpr std::size_t limit = 1 << 20;

    explicit EventStream(std::size_t most = limit) : most_(most) {}

    // exhausted: a line or an event is over the limit; then nothing more may be fed. on_event may return false to stop
    // the reading there, for good.
    Status feed(std::string_view bytes, const std::function<bool(std::string_view data)>& on_event);

private:
    std::size_t most_;
    std::string line_;
    std::string data_;
    bool has_data_ = false;
    bool after_return_ = false;
};

}  // namespace planetserve::inference
