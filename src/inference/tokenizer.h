// A prompt as the engine's tokens, where the engine can tell them.
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
    // The share of the canonical prompt of each token, about, in any unit. As many as ids; none: all alike.
    std::vector<std::uint32_t> weights;
};

class Tokenizer {
public:
    // Empty where the engine does not say.
    using Handler = std::function<void(std::optional<PromptTokens>)>;

    virtual ~Tokenizer() = default;
    // The tokens of a POST that the engine is to answer. The handler is called once, later, never from inside this
    // call; it is not called when the tokenizer is destroyed before.
    virtual void tokenize(std::string_view path, ByteView body, Handler handler) = 0;
};

}  // namespace planetserve::inference
