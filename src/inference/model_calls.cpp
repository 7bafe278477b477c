#include "inference/model_calls.h"

#include <array>
#include <utility>

namespace planetserve::inference {

namespace {

constexpr std::array<std::pair<std::string_view, ModelCall>, 6> calls{{
    {"/v1/chat/completions", ModelCall::chat},
    {"/v1/completions", ModelCall::completions},
    {"/v1/embeddings", ModelCall::embeddings},
    {"/v1/responses", ModelCall::responses},
    {"/v1/messages", ModelCall::messages},
    {"/v1/messages/count_tokens", ModelCall::count_tokens},
}};

}  // namespace

std::optional<ModelCall> model_call(std::string_view path) {
    for (const auto& [known, call] : calls)
        if (path == known) return call;
    return std::nullopt;
}

bool is_known_query(ModelCall call, std::string_view query) {
    if (query.empty()) return true;
    return (call == ModelCall::messages || call == ModelCall::count_tokens) && query == "?beta=true";
}

}  // namespace planetserve::inference
