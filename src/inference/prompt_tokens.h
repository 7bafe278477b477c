// A prompt as the engine's tokens, where the engine tells.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace planetserve::inference {

struct PromptTokens {
    std::vector<std::uint32_t> ids;
    // About how much of the canonical prompt each stands for, in any unit. As many as ids, or none: all the same.
    std::vector<std::uint32_t> weights;
};

class Tokenizer {
public:
    // Nothing where the engine does not say.
    using Handler = std::function<void(std::optional<PromptTokens>)>;

    virtual ~Tokenizer() = default;
    // Of a POST that the engine is to answer. The handler is called once, later, never from inside this call; or not at
    // all where the tokenizer is destroyed.
    virtual void tokenize(std::string_view path, ByteView body, Handler handler) = 0;
};

}  // namespace planetserve::inference
