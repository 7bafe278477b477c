#include "signing/engine_tokens.h"

#include "base/requires.h"
#include "inference/bounded_json.h"

namespace planetserve::signing {

namespace json = boost::json;
using inference::find;
using scoring::TokenId;

namespace {

constexpr std::size_t reply_memory_limit = 256 << 20;  // bytes that a parsed reply may take
constexpr std::size_t longest_complaint = 300;         // characters

Result<std::vector<TokenId>> token_list(const json::value* value) {
    const json::array* list = inference::list_of(value);
    if (!list) return fail(ErrorCode::malformed, "the engine told no tokens");
    if (list->size() > engine_tokens_limit) return fail(ErrorCode::exhausted, "the engine told too many tokens");
    std::vector<TokenId> tokens;
    tokens.reserve(list->size());
    for (const json::value& one : *list) {
        auto id = inference::count_of(&one);
        if (!id || *id > largest_token) return fail(ErrorCode::malformed, "the engine told a token that is no id");
        tokens.push_back(TokenId(static_cast<std::uint32_t>(*id)));
    }
    return tokens;
}

}  // namespace

json::array replayed_samplers() { return {"top_k", "top_p", "min_p", "temperature"}; }

void bind_sampling(json::object& request, const scoring::SamplingProfile& profile, const scoring::Nonce& nonce) {
    request["seed"] = scoring::seed_of(profile, nonce);
    request["samplers"] = replayed_samplers();
    request["top_k"] = profile.top_k;
    request["top_p"] = profile.top_p;
    request["min_p"] = profile.min_p;
    request["temperature"] = profile.temperature;
    if (profile.max_tokens > 0) request["max_tokens"] = profile.max_tokens;
}

void ask_for_tokens(json::object& request) {
    REQUIRES(!inference::is_true(request.if_contains("stream")));
    request["return_tokens"] = true;
    request["verbose"] = true;
}

Result<EngineAnswer> read_engine_answer(std::string_view body) {
    auto parsed = inference::parse_json(body, reply_memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    return engine_answer_of(*parsed);
}

Result<EngineAnswer> engine_answer_of(const json::value& reply) {
    const json::value* verbose = find(&reply, "__verbose");
    if (!verbose) {
        auto message = inference::text_of(find(find(&reply, "error"), "message"));
        return fail(ErrorCode::malformed, message ? "the engine: " + std::string(message->substr(0, longest_complaint))
                                                  : "the reply does not tell its tokens");
    }
    auto tokens = token_list(find(verbose, "tokens"));
    if (!tokens) return std::unexpected(tokens.error());
    EngineAnswer answer{.tokens = std::move(*tokens)};
    auto finish = finish_of(inference::text_of(find(verbose, "stop_type")).value_or(""),
                            inference::is_true(find(verbose, "truncated")));
    if (!finish) return std::unexpected(finish.error());
    answer.finish = *finish;
    answer.prompt_tokens = inference::count_of(find(verbose, "tokens_evaluated")).value_or(0);
    answer.text = inference::text_of(find(verbose, "content")).value_or("");
    return answer;
}

Result<scoring::FinishReason> finish_of(std::string_view stop_type, bool truncated) {
    if (stop_type == "eos") return scoring::FinishReason::end_of_text;
    if (stop_type == "limit")
        return truncated ? scoring::FinishReason::context_full : scoring::FinishReason::max_tokens;
    return fail(ErrorCode::malformed, "the answer ended in a way that cannot be scored");
}

std::string apply_template_request(const json::array& messages) {
    return json::serialize(json::object{{"messages", messages}});
}

Result<std::string> read_applied_template(std::string_view body) {
    auto parsed = inference::parse_json(body, reply_memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    auto prompt = inference::text_of(find(&*parsed, "prompt"));
    if (!prompt) return fail(ErrorCode::malformed, "the engine applied no template");
    return std::string(*prompt);
}

std::string tokenize_request(std::string_view text) {
    return json::serialize(json::object{{"content", text}, {"add_special", true}, {"parse_special", true}});
}

Result<std::vector<TokenId>> read_tokens(std::string_view body) {
    auto parsed = inference::parse_json(body, reply_memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    return token_list(find(&*parsed, "tokens"));
}

}  // namespace planetserve::signing
