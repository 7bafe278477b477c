// What may be asked of a model: one list for the user's API and for the model node, which both refuse everything else.
//
// An engine has more paths than these: they show what others asked, load adapters, or delete models.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace planetserve::inference {

enum class ModelCall : std::uint8_t { chat, completions, embeddings, responses, messages, count_tokens };

// All are POST. Empty for another path, and for one with a query.
std::optional<ModelCall> model_call(std::string_view path);

// A query that clients of the call are known to send: none, or Anthropic's "?beta=true".
bool is_known_query(ModelCall call, std::string_view query);

}  // namespace planetserve::inference
