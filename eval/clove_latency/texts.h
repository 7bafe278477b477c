// What travels as prompts and answers: OpenAI's JSON around as many words as there are tokens, some six bytes each.
#pragma once

#include <vector>

#include "base/bytes.h"

namespace planetserve::eval {

Bytes chat_request(std::uint32_t tokens);
Bytes chat_answer(std::uint32_t tokens);
// The answer as server-sent events, one a token.
std::vector<Bytes> chat_stream(std::uint32_t tokens);

}  // namespace planetserve::eval
