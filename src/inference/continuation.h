// Asking another engine to go on with an answer whose first part is known (docs/protocols/requests.md, "A stream that
// breaks off").
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::inference {

// The body that asks for the rest of an answer: `said` is what came of it, in `pieces` tokens or fewer. For
// /v1/chat/completions the answer so far becomes the last message, marked "continue_final_message"; for /v1/completions
// it is added to the prompt. Limits of tokens become smaller by `pieces`.
// Fails with invalid_argument where going on would not give the answer that was asked for: other paths, several
// answers, an answer whose form is prescribed (a grammar reads from the answer's beginning), "echo"; and with exhausted
// where no token is left. Pure; never throws.
Result<Bytes> continuation(std::string_view path, ByteView body, std::string_view said, std::size_t pieces);

}  // namespace planetserve::inference
