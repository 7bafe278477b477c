#include "inference/prompt.h"

#include <boost/json.hpp>

#include "inference/bounded_json.h"
#include "inference/conversation_writer.h"
#include "inference/model_calls.h"
#include "inference/prompt_writer.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

std::unexpected<Error> unusable(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

Status write_completion(const json::value& body, PromptWriter& writer) {
    const auto* prompt = find(&body, "prompt");
    const auto* parts = list_of(prompt);
    if (parts != nullptr && parts->size() == 1 && parts->front().is_string()) prompt = &parts->front();
    if (auto text = text_of(prompt)) {
        writer.mark(Mark::text);
        writer.text(*text);
        return {};
    }
    if (parts == nullptr || parts->empty()) return unusable("'prompt' is neither text nor a list");
    writer.mark(Mark::tokens);
    for (const auto& part : *parts) {
        auto token = count_of(&part);
        if (!token || *token > 0xffffffff) return unusable("'prompt' is more than one text, or no list of tokens");
        writer.token(static_cast<std::uint32_t>(*token));
    }
    return {};
}

PromptTraits traits_of(const json::value& body) {
    PromptTraits traits;
    traits.stream = is_true(find(&body, "stream"));
    traits.repeatable = is_repeatable(body);
    for (const char* name : {"n_cmpl", "n"})
        if (auto choices = count_of(find(&body, name))) traits.choices = *choices;
    for (std::string_view name : token_limits)
        if (auto most = count_of(find(&body, name))) traits.max_tokens = most;
    return traits;
}

}  // namespace

bool is_repeatable(const json::value& body) {
    // llama-server draws a seed for -1 and for 2^32 - 1.
    auto seed = count_of(find(&body, "seed"));
    return (seed && *seed < 0xffffffff) || number_of(find(&body, "temperature")) == 0.0 ||
           count_of(find(&body, "top_k")) == 1;
}

std::optional<Api> api_of(std::string_view path) {
    auto call = model_call(path.substr(0, path.find('?')));
    if (!call) return std::nullopt;
    switch (*call) {
        case ModelCall::chat:
            return Api::chat;
        case ModelCall::completions:
            return Api::completions;
        case ModelCall::responses:
            return Api::responses;
        case ModelCall::messages:
            return Api::messages;
        case ModelCall::embeddings:
        case ModelCall::count_tokens:
            return std::nullopt;
    }
    return std::nullopt;
}

Result<Prompt> canonical_prompt(std::string_view path, ByteView body) {
    auto api = api_of(path);
    if (!api) return fail(ErrorCode::not_found, "a request to this path has no prompt that is cached");
    if (body.size() > prompt_body_limit) return fail(ErrorCode::exhausted, "the body is too large");
    auto parsed = parse_json(as_text(body), prompt_memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    if (!parsed->is_object()) return fail(ErrorCode::malformed, "the body is no JSON object");

    const auto* use_cache = find(&*parsed, "cache_prompt");
    if (use_cache != nullptr && use_cache->is_bool() && !use_cache->get_bool())
        return unusable("the cache is not to be used");
    for (const char* name : {"lora", "suffix"})
        if (is_given(find(&*parsed, name))) return unusable("'" + std::string(name) + "' changes what is cached");

    Prompt prompt;
    PromptWriter writer(prompt.canonical, body.size() + prompt_allowance);
    Status written;
    if (*api == Api::completions)
        written = write_completion(*parsed, writer);
    else if (*api == Api::responses)
        written = write_responses(*parsed, writer);
    else
        written = write_chat(*parsed, *api == Api::messages ? find(&*parsed, "system") : nullptr, writer);
    if (!written) return std::unexpected(written.error());
    if (writer.full()) return fail(ErrorCode::exhausted, "the prompt would be longer than the body");
    prompt.traits = traits_of(*parsed);
    return prompt;
}

}  // namespace planetserve::inference
