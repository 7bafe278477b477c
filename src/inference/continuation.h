// A request for the rest of an answer whose first part is known (docs/protocols/requests.md, "A stream that breaks
// off").
#pragma once

#include <cstddef>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::inference {

// The body that asks for the rest of an answer: `said` is its first part, of at most `pieces` tokens. For
// /v1/chat/completions the answer so far becomes the last message, marked "continue_final_message"; for /v1/completions
// it is added to the prompt. Limits of tokens become smaller by `pieces`.
// Fails with invalid_argument where the rest would not belong to the same answer: other paths, several answers, an
// answer of a prescribed form (a grammar reads from the answer's beginning), "echo"; with exhausted where no token is
// left. Pure; never throws.
Result<Bytes> continuation(std::string_view path, ByteView body, std::string_view said, std::size_t pieces);

}  // namespace planetserve::inference
