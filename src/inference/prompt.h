// The canonical serialisation of what a request asks of a model: a byte string that only grows at its end as the
// conversation grows (docs/protocols/routing.md, "Canonical serialisation").
//
// Two prompts share about as much of it as an engine's KV cache could share of them: it has what a chat template
// writes, in a template's order, and leaves out what only controls the sampling or the form of the answer. All chat
// APIs have one form, since engines have one template for them. Pure.
#pragma once

#include <array>
#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::inference {

enum class Api {
    chat,         // /v1/chat/completions
    completions,  // /v1/completions
    responses,    // /v1/responses
    messages,     // /v1/messages
};

// Empty for other paths. A query after '?' is ignored.
std::optional<Api> api_of(std::string_view path);

inline constexpr std::size_t prompt_body_limit = 16 << 20;
// Memory that reading a body may take beside it, in bytes.
inline constexpr std::size_t prompt_memory_limit = 128 << 20;
// A canonical prompt is at most this many bytes longer than its body; nearly always it is shorter.
inline constexpr std::size_t prompt_allowance = 4096;

// Whether another engine of the same model gives the same answer to this body: temperature 0, top_k 1 or a seed.
bool is_repeatable(const boost::json::value& body);

// Members of a body that say how many tokens an answer may have. Of several the last one here counts.
inline constexpr std::array<std::string_view, 4> token_limits{"n_predict", "max_output_tokens", "max_tokens",
                                                              "max_completion_tokens"};

// What else of a request matters to a node that forwards it.
struct PromptTraits {
    bool stream = false;
    bool repeatable = false;
    std::uint64_t choices = 1;  // answers asked for; the engine reads the prompt once for all
    std::optional<std::uint64_t> max_tokens;

    bool operator==(const PromptTraits&) const = default;
};

struct Prompt {
    Bytes canonical;
    PromptTraits traits;
};

// The prompt of the body of a POST. Errors:
// - not_found: a path whose requests leave nothing in a KV cache that others could use: embeddings, all unknown ones
// - malformed: no JSON object, or deeper than 128
// - exhausted: a body over its limit, JSON that takes more memory than it may, a prompt longer than allowed
// - invalid_argument: the engine does not use its cache, or not with this text alone ("cache_prompt" false, "lora",
//   "suffix"); the prompt is stored elsewhere (a stored response, conversation or prompt); several prompts, or one of
//   text and tokens; messages without a role, and other bodies that an engine would refuse
Result<Prompt> canonical_prompt(std::string_view path, ByteView body);

// A call of a tool by the model. Its id is left out everywhere: few templates show it.
struct ToolCall {
    std::string name;
    std::string arguments;  // JSON as text

    bool operator==(const ToolCall&) const = default;
};

// Appends the model's answer. The canonical prompt of a next request that quotes this answer as the assistant's message
// begins with the result. Where the prompt ends with an assistant's message, the text continues that; it may repeat the
// message from its beginning, as llama-server does. Appends nothing to a prompt of tokens.
// Requires: a canonical prompt, and UTF-8.
void append_answer(Bytes& prompt, std::string_view text, const std::vector<ToolCall>& tool_calls = {});

}  // namespace planetserve::inference
