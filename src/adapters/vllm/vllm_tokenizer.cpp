#include "adapters/vllm/vllm_tokenizer.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/json.hpp>

#include "inference/bounded_json.h"
#include "inference/prompt.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace json = boost::json;
using inference::find;

namespace {

constexpr std::size_t memory_limit = 512 << 20;  // bytes that a parsed answer may take
constexpr std::uint32_t special_weight = 2;

// Members of a chat that decide its tokens. They have the same names in both requests.
constexpr const char* chat_fields[] = {"model",
                                       "messages",
                                       "tools",
                                       "chat_template",
                                       "chat_template_kwargs",
                                       "add_generation_prompt",
                                       "continue_final_message",
                                       "add_special_tokens"};
constexpr const char* completion_fields[] = {"model", "prompt", "add_special_tokens"};

bool has_only_text(const json::value& message) {
    const auto* parts = inference::list_of(find(&message, "content"));
    return parts == nullptr || std::ranges::all_of(*parts, [](const json::value& part) {
               return inference::text_of(find(&part, "type")) == "text";
           });
}

// Counts code points. In a byte-level vocabulary, as most are, these are the token's bytes.
std::uint32_t weight_of(std::string_view text) {
    if (text.size() > 2 && text.starts_with('<') && text.ends_with('>')) return special_weight;
    return static_cast<std::uint32_t>(std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

Result<std::string> vllm_tokenize_request(std::string_view path, ByteView body) {
    const auto api = inference::api_of(path);
    if (api != inference::Api::chat && api != inference::Api::completions)
        return fail(ErrorCode::not_found, "the tokens of such a request cannot be asked for");
    if (body.size() > inference::prompt_body_limit) return fail(ErrorCode::exhausted, "the body is too large");
    auto parsed = inference::parse_json(as_text(body), inference::prompt_memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    json::object request{{"return_token_strs", true}};
    auto copy = [&](auto& fields) {
        for (const char* name : fields)
            if (const auto* value = find(&*parsed, name)) request[name] = *value;
    };
    if (api == inference::Api::completions) {
        copy(completion_fields);
        const auto* prompts = inference::list_of(find(&*parsed, "prompt"));
        if (prompts != nullptr && prompts->size() == 1) request["prompt"] = prompts->front();
        if (!inference::text_of(request.if_contains("prompt")))
            return fail(ErrorCode::not_found, "the prompt is not one text");
    } else {
        copy(chat_fields);
        const auto* messages = inference::list_of(request.if_contains("messages"));
        if (messages == nullptr || !std::ranges::all_of(*messages, has_only_text))
            return fail(ErrorCode::not_found, "the messages are not of text alone");
    }
    return json::serialize(request);
}

Result<inference::PromptTokens> read_vllm_tokens(std::string_view body) {
    auto parsed = inference::parse_json(body, memory_limit);
    if (!parsed) return std::unexpected(parsed.error());
    const auto* ids = inference::list_of(find(&*parsed, "tokens"));
    if (ids == nullptr) return fail(ErrorCode::malformed, "the engine told no tokens");
    if (ids->size() > tokenize_token_limit) return fail(ErrorCode::exhausted, "the engine told too many tokens");
    inference::PromptTokens tokens;
    tokens.ids.reserve(ids->size());
    for (const json::value& each : *ids) {
        auto id = inference::count_of(&each);
        if (!id || *id > 0xffffffff) return fail(ErrorCode::malformed, "the engine told a token that is no id");
        tokens.ids.push_back(static_cast<std::uint32_t>(*id));
    }
    const auto* texts = inference::list_of(find(&*parsed, "token_strs"));
    if (texts == nullptr || texts->size() != ids->size()) return tokens;
    for (const json::value& text : *texts) tokens.weights.push_back(weight_of(inference::text_of(&text).value_or("")));
    return tokens;
}

VllmTokenizer::VllmTokenizer(asio::io_context& context, inference::Service& service)
    : context_(context), service_(service) {}

VllmTokenizer::~VllmTokenizer() = default;

void VllmTokenizer::tokenize(std::string_view path, ByteView body, Handler handler) {
    auto request = vllm_tokenize_request(path, body);
    bool begun = false;
    if (request && calls_.size() < at_once) {
        ++asked_;
        const auto call = calls_.emplace(calls_.end());
        begun = call->start(service_, inference::post_of("/tokenize", *request), tokenize_answer_limit,
                            [this, call, handler](const Result<std::string>& reply) {
                                auto tokens = reply ? read_vllm_tokens(*reply) : std::unexpected(reply.error());
                                if (!tokens) ++failed_;
                                calls_.erase(call);
                                handler(tokens ? std::optional(std::move(*tokens)) : std::nullopt);
                            })
                    .has_value();
        if (!begun) {
            ++failed_;
            calls_.erase(call);
        }
    }
    if (!begun) asio::post(context_, [handler = std::move(handler)] { handler(std::nullopt); });
}

}  // namespace planetserve::adapters
