// Conversations that look like users', and what a dishonest model node makes of them.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <vector>

namespace planetserve::eval {

using Messages = boost::json::array;

// So many, of 20 to 120 tokens, drawn without repetition while there are different ones (some 4,800): a question or
// task with a topic, some of them behind a system prompt or an earlier turn.
std::vector<Messages> user_prompts(std::size_t count, std::uint64_t seed);

enum class Alteration : std::uint8_t {
    none,
    system_prompt,  // another system prompt than the user's
    clickbait,      // a prefix that asks for sensational answers
    injection,      // a continuation that asks to advertise
};
Messages altered(Messages messages, Alteration how);

}  // namespace planetserve::eval
