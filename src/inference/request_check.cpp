#include "inference/request_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "inference/bounded_json.h"
#include "inference/form_check.h"
#include "inference/media_check.h"
#include "inference/model_calls.h"
#include "inference/prompt.h"
#include "inference/request_members.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

using Kind = EngineTraits::Kind;

// Members of which an engine makes its prompt.
constexpr std::array<std::string_view, 6> of_the_prompt{"messages", "prompt", "input",
                                                        "system",   "tools",  "instructions"};

// Engines differ in which of these counts where several are given, so the largest does. Texts as numbers were refused.
std::optional<std::uint64_t> tokens_of(const json::object& body, const RequestLimits& limits) {
    std::optional<std::uint64_t> tokens;
    for (std::string_view name : token_limits)
        if (auto most = count_of(body.if_contains(name))) tokens = std::max(tokens.value_or(0), *most);
    std::uint64_t answers = 1;
    for (const char* name : {"n", "n_cmpl", "best_of"})
        if (auto choices = count_of(body.if_contains(name))) answers = std::clamp(*choices, answers, limits.choices);
    return tokens ? std::optional(*tokens * answers) : std::nullopt;
}

std::string number(std::uint64_t value) { return std::to_string(value); }

// One check of a body, with what it has counted so far.
class BodyCheck {
public:
    BodyCheck(ModelCall call, const json::object& body, const EngineTraits& engine, const RequestLimits& limits)
        : call_(call), body_(body), engine_(engine), limits_(limits) {}

    std::optional<Refusal> run(const std::string& model) {
        using Step = std::optional<Refusal> (BodyCheck::*)();
        if (auto refusal = check_model(model)) return refusal;
        for (Step step : {&BodyCheck::check_members, &BodyCheck::check_numbers, &BodyCheck::check_counts,
                          &BodyCheck::check_messages, &BodyCheck::check_media})
            if (auto refusal = (this->*step)()) return refusal;
        return check_forms(call_, body_, engine_, limits_);
    }

private:
    const json::value* member(std::string_view name) const { return given(body_, name); }

    std::optional<Refusal> check_model(const std::string& model) const {
        for (const auto& member : body_)
            if (member.key() != "model" && lower_case(member.key()) == "model")
                return Refusal{400, "write the name of 'model' in small letters, and once", "model", "invalid_value"};
        if (text_of(member("model")) == model) return std::nullopt;
        return Refusal{400, "the body names another model than the request was sent for", "model", "wrong_model"};
    }

    std::optional<Refusal> check_members() {
        if (auto name = operators_member(body_))
            return Refusal{400, "'" + *name + "' is for the engine's operator; leave it out", *name,
                           "unsupported_parameter"};
        const json::value* arguments = member("chat_template_kwargs");
        if (auto wrong = arguments != nullptr ? wrong_template_arguments(*arguments) : std::nullopt)
            return Refusal{400, "'chat_template_kwargs': " + *wrong, "chat_template_kwargs", "unsupported_parameter"};
        // OpenAI's stored prompts.
        const json::value* prompt = member("prompt");
        if (call_ == ModelCall::responses && prompt != nullptr && prompt->is_object())
            return Refusal{400, "prompts that an engine keeps are not read; send the text itself", "prompt",
                           "unsupported_parameter"};
        return std::nullopt;
    }

    std::optional<Refusal> check_numbers() {
        for (const auto& [name, value] : body_) {
            const std::size_t before = text_bytes_;
            if (auto wrong = check_values(value)) {
                wrong->param = name;
                return wrong;
            }
            if (is_one_of(name, of_the_prompt)) prompt_bytes_ += text_bytes_ - before;
        }
        const std::size_t most = limits_.context_bytes * engine_.context + limits_.spare_bytes;
        if (engine_.kind != Kind::llama_server || prompt_bytes_ <= most) return std::nullopt;
        return Refusal{400,
                       "the prompt has " + number(prompt_bytes_) + " bytes; a context of " + number(engine_.context) +
                           " tokens does not hold so much",
                       "messages", "context_length_exceeded"};
    }

    std::optional<Refusal> check_values(const json::value& value) {
        if (++values_ > limits_.values)
            return Refusal{400, "the body has more than " + number(limits_.values) + " values"};
        if (value.is_double() && !std::isfinite(value.get_double()))
            return Refusal{400, "a number is too large to be one"};
        if (auto text = text_of(&value)) text_bytes_ += text->size();
        if (const json::array* list = list_of(&value)) {
            for (const json::value& item : *list)
                if (auto wrong = check_values(item)) return wrong;
        } else if (value.is_object()) {
            for (const auto& inner : value.get_object())
                if (auto wrong = check_values(inner.value())) return wrong;
        }
        return std::nullopt;
    }

    // Members that are a number with a limit, and lists with one.
    std::optional<Refusal> check_counts() {
        for (const char* name : {"n", "n_cmpl", "best_of"})
            if (auto refusal = at_most(name, limits_.choices)) return refusal;
        for (const char* name : {"top_logprobs", "n_probs", "logprobs", "prompt_logprobs"})
            if (auto refusal = at_most(name, limits_.listed_tokens)) return refusal;
        for (const char* name : {"stop", "stop_sequences", "dry_sequence_breakers", "samplers"})
            if (auto refusal = few(name, limits_.stops)) return refusal;
        if (auto refusal = few("logit_bias", limits_.biased_tokens)) return refusal;
        if (auto refusal = few("tools", limits_.tools)) return refusal;
        if (auto refusal = few("functions", limits_.tools)) return refusal;
        const json::array* prompts = list_of(member("prompt"));
        if (prompts != nullptr && !prompts->empty() && !prompts->front().is_number())
            return few("prompt", limits_.choices);
        return std::nullopt;
    }

    std::optional<Refusal> at_most(const char* name, std::uint64_t most) const {
        const json::value* value = member(name);
        // Some servers read a text as the number that it holds.
        if (text_of(value)) return Refusal{400, "'" + std::string(name) + "' must be a number", name, "invalid_value"};
        auto given = number_of(value);
        if (!given || *given <= static_cast<double>(most)) return std::nullopt;
        return Refusal{400, "'" + std::string(name) + "' may be at most " + number(most), name, "invalid_value"};
    }

    std::optional<Refusal> few(const char* name, std::size_t most) const {
        const json::value* value = member(name);
        const json::array* list = list_of(value);
        const std::size_t size = list ? list->size() : value && value->is_object() ? value->get_object().size() : 0;
        if (size <= most) return std::nullopt;
        return Refusal{400, "'" + std::string(name) + "' may have at most " + number(most) + " entries", name,
                       "invalid_value"};
    }

    std::optional<Refusal> check_messages() {
        if (call_ != ModelCall::chat && call_ != ModelCall::messages && call_ != ModelCall::count_tokens)
            return std::nullopt;
        const json::array* messages = list_of(member("messages"));
        if (messages == nullptr) return Refusal{400, "'messages' must be a list", "messages"};
        for (const json::value& message : *messages)
            if (!text_of(find(&message, "role")))
                return Refusal{400, "each of 'messages' needs a 'role'", "messages", "missing_required_parameter"};
        return std::nullopt;
    }

    std::optional<Refusal> check_media() {
        for (const char* name : {"messages", "input", "system", "prompt", "instructions", "documents"}) {
            const json::value* value = member(name);
            if (value == nullptr) continue;
            const MediaRules rules{engine_.kind == Kind::llama_server ? Media::none : Media::in_body,
                                   engine_.media_hosts};
            if (auto wrong = wrong_media(*value, rules)) return Refusal{400, *wrong, name, "unsupported_media"};
        }
        return std::nullopt;
    }

    ModelCall call_;
    const json::object& body_;
    const EngineTraits& engine_;
    const RequestLimits& limits_;
    std::size_t values_ = 0;
    std::size_t text_bytes_ = 0;
    std::size_t prompt_bytes_ = 0;
};

// The path may end in a query that clients send.
std::optional<ModelCall> call_of(const Request& request) {
    const std::size_t end = std::min(request.path.find('?'), request.path.size());
    auto call = model_call(std::string_view(request.path).substr(0, end));
    const bool known =
        call && request.method == "POST" && is_known_query(*call, std::string_view(request.path).substr(end));
    return known ? call : std::nullopt;
}

}  // namespace

std::expected<Checked, Refusal> check_request(const Request& request, const EngineTraits& engine,
                                              const RequestLimits& limits) {
    auto refused = [](Refusal refusal) { return std::unexpected(std::move(refusal)); };
    auto call = call_of(request);
    if (!call) return refused({404, "model nodes do not answer this method and path", "", "unknown_url"});
    if (engine.kind == Kind::llama_server && call == ModelCall::embeddings)
        return refused(
            {400, "this model makes no embeddings; ask one that is made for them", "model", "unsupported_model"});
    auto body = parse_json(as_text(request.body), prompt_memory_limit);
    if (!body) return refused({400, "the body cannot be read: " + body.error().message, "", "invalid_json"});
    if (!body->is_object()) return refused({400, "the body must be a JSON object", "", "invalid_json"});
    if (auto refusal = BodyCheck(*call, body->get_object(), engine, limits).run(request.model))
        return refused(*std::move(refusal));
    Checked checked{.tokens = tokens_of(body->get_object(), limits)};
    if (engine.kind == Kind::other) checked.body = to_bytes(upstream_body(body->get_object(), request.model));
    return checked;
}

std::string error_body(const Refusal& refusal) {
    const auto text_or_null = [](const std::string& text) { return text.empty() ? json::value() : json::value(text); };
    return compact(json::object{{"error", json::object{{"message", refusal.message},
                                                       {"type", "invalid_request_error"},
                                                       {"param", text_or_null(refusal.param)},
                                                       {"code", text_or_null(refusal.code)}}}});
}

}  // namespace planetserve::inference
