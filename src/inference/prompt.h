// The canonical serialisation of what a request asks of a model: a byte string that only grows at its end as the
// conversation grows (docs/protocols/routing.md, "Canonical serialisation").
//
// Two prompts share as much of it as an engine's KV cache could share of them, by and large: it has what a chat
// template writes, in a template's order, and leaves out what only draws or shapes the answer. The chat APIs have one
// form, as they have one template. Pure.
#pragma once

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

// Nothing for other paths. A query after '?' is passed over.
std::optional<Api> api_of(std::string_view path);

inline constexpr std::size_t prompt_body_limit = 16 << 20;
// What reading a body may take beside it, in bytes.
inline constexpr std::size_t prompt_memory_limit = 128 << 20;
// A canonical prompt is at most so many bytes longer than its body; nearly always it is shorter.
inline constexpr std::size_t prompt_allowance = 4096;

// Of a request's body: another engine of the same model gives the same answer, by temperature 0, top_k 1 or a seed.
bool is_repeatable(const boost::json::value& body);

// What else of a request matters to who passes it on.
struct PromptTraits {
    bool stream = false;
    bool repeatable = false;
    std::uint64_t choices = 1;  // answers asked for; the prompt is read once for all
    std::optional<std::uint64_t> max_tokens;

    bool operator==(const PromptTraits&) const = default;
};

struct Prompt {
    Bytes canonical;
    PromptTraits traits;
};

// Of the body of a POST. Errors:
// - not_found: a path whose requests leave nothing in a KV cache that others could use: embeddings, all unknown ones
// - malformed: no JSON object, or deeper than 128
// - exhausted: a body over its limit, JSON that takes more memory than it may, a prompt longer than allowed
// - invalid_argument: the cache is not used, or not with this text alone ("cache_prompt" false, "lora", "suffix"); what
//   the prompt is stands elsewhere (a stored response, conversation or prompt); several prompts, or one of text and
//   tokens; messages without a role, and what else an engine would refuse
Result<Prompt> canonical_prompt(std::string_view path, ByteView body);

// A call of a tool by the model. Its id is left out everywhere: few templates show it.
struct ToolCall {
    std::string name;
    std::string arguments;  // JSON as text

    bool operator==(const ToolCall&) const = default;
};

// Appends what the model answered: then it is what the canonical prompt of a next request begins with that gives this
// answer back as the assistant's message. A prompt that ends with an assistant's message is continued; the text may
// repeat that message from its beginning, as llama-server does. Nothing can be appended to a prompt of tokens.
// REQUIRES: a canonical prompt, and UTF-8.
void append_answer(Bytes& prompt, std::string_view text, const std::vector<ToolCall>& tool_calls = {});

}  // namespace planetserve::inference
