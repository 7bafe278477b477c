// A stream of several answers to one prompt ("n": 2) with one count of its tokens. llama-server tells of each answer by
// an event of its own, where OpenAI's clients read one for all, the last before [DONE]. Pure.
#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "inference/event_stream.h"

namespace planetserve::adapters {

class OneUsage {
public:
    // A longer event goes to the client as it is, and so does what follows it. Held back by a quarter of a window, a
    // stream does not stop.
    static constexpr std::size_t longest_event = inference::reply_window / 4;  // bytes

    // Takes bytes of the stream; returns those for the client, whole events. Its comments are lost.
    std::string take(std::string_view bytes);
    // The stream ended or broke off; returns what was held back.
    std::string end();

private:
    void event(std::string_view data, std::string& out);
    // True when the event is only a count of tokens, which then waits.
    bool hold(std::string_view data);

    // Is fed whole events, which are bounded before.
    inference::EventStream events_{std::numeric_limits<std::size_t>::max()};
    bool readable_ = true;  // no event was over the limit
    std::string begun_;     // of an event that is not whole
    std::string held_;      // the last count; empty without one
    std::uint64_t prompt_tokens_ = 0;
    std::uint64_t completion_tokens_ = 0;
};

}  // namespace planetserve::adapters
