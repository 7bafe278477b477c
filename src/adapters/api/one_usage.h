// A stream of several answers to one prompt ("n": 2) with one count of its tokens. llama-server tells of each answer by
// an event of its own, where OpenAI's clients read one for all, the last before [DONE]. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "inference/event_stream.h"

namespace planetserve::adapters {

class OneUsage {
public:
    // Takes bytes of the stream; returns those for the client, whole events. Its comments are lost.
    std::string take(std::string_view bytes);
    // The stream ended or broke off; returns what was held back.
    std::string end();

private:
    static constexpr std::size_t longest_event = 16 << 20;  // bytes

    void event(std::string_view data, std::string& out);
    // True when the event is only a count of tokens, which then waits.
    bool hold(std::string_view data);

    inference::EventStream events_{longest_event};
    bool readable_ = true;  // no event was over the limit
    std::string held_;      // the last count; empty without one
    std::uint64_t prompt_tokens_ = 0;
    std::uint64_t completion_tokens_ = 0;
};

}  // namespace planetserve::adapters
