#include "inference/request_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <cmath>

#include "inference/bounded_json.h"
#include "inference/media_check.h"
#include "inference/model_calls.h"
#include "inference/prompt.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

using Kind = EngineTraits::Kind;

// llama-server's members for its own front ends and tests: they choose another's slot or cache, or say how its parts
// talk to each other.
constexpr std::array<std::string_view, 14> for_operators{
    "id_slot",     "lora",          "grammar_lazy",      "grammar_triggers", "preserved_tokens", "chat_parser",
    "chat_format", "chat_template", "generation_prompt", "response_fields",  "t_max_predict_ms", "t_max_prompt_ms",
    "verbose",     "return_tokens"};

// Members of which an engine makes its prompt.
constexpr std::array<std::string_view, 6> of_the_prompt{"messages", "prompt", "input",
                                                        "system",   "tools",  "instructions"};

std::string number(std::uint64_t value) { return std::to_string(value); }

// One check of a body, with what it has counted so far.
class BodyCheck {
public:
    BodyCheck(ModelCall call, const json::object& body, const EngineTraits& engine, const RequestLimits& limits)
        : call_(call),
          body_(body),
          engine_(engine),
          limits_(limits),
          schemas_(limits.schema,
                   engine.kind == Kind::llama_server ? SchemaReader::llama_server : SchemaReader::other) {}

    std::optional<Refusal> run(const std::string& model) {
        using Step = std::optional<Refusal> (BodyCheck::*)();
        if (auto refusal = check_model(model)) return refusal;
        for (Step step :
             {&BodyCheck::check_operators_members, &BodyCheck::check_numbers, &BodyCheck::check_counts,
              &BodyCheck::check_messages, &BodyCheck::check_tools, &BodyCheck::check_form, &BodyCheck::check_media})
            if (auto refusal = (this->*step)()) return refusal;
        return std::nullopt;
    }

private:
    const json::value* member(std::string_view name) const {
        const json::value* value = body_.if_contains(name);
        return is_given(value) ? value : nullptr;
    }

    std::optional<Refusal> check_model(const std::string& model) const {
        if (text_of(member("model")) == model) return std::nullopt;
        return Refusal{400, "the body names another model than the request was sent for", "model", "wrong_model"};
    }

    std::optional<Refusal> check_operators_members() {
        for (std::string_view name : for_operators)
            if (member(name) != nullptr)
                return Refusal{400, "'" + std::string(name) + "' is for the engine's operator; leave it out",
                               std::string(name), "unsupported_parameter"};
        return std::nullopt;
    }

    std::optional<Refusal> check_numbers() {
        for (const auto& [name, value] : body_) {
            const std::size_t before = text_bytes_;
            if (auto wrong = check_values(value)) {
                wrong->param = name;
                return wrong;
            }
            if (std::ranges::find(of_the_prompt, std::string_view(name)) != of_the_prompt.end())
                prompt_bytes_ += text_bytes_ - before;
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
        const json::array* prompts = list_of(member("prompt"));
        if (prompts != nullptr && !prompts->empty() && !prompts->front().is_number())
            return few("prompt", limits_.choices);
        return std::nullopt;
    }

    std::optional<Refusal> at_most(const char* name, std::uint64_t most) const {
        const json::value* value = member(name);
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
        if (call_ != ModelCall::chat && call_ != ModelCall::messages) return std::nullopt;
        const json::array* messages = list_of(member("messages"));
        if (messages == nullptr) return Refusal{400, "'messages' must be a list", "messages"};
        for (const json::value& message : *messages)
            if (!text_of(find(&message, "role")))
                return Refusal{400, "each of 'messages' needs a 'role'", "messages", "missing_required_parameter"};
        return std::nullopt;
    }

    std::optional<Refusal> check_tools() {
        const json::array* tools = list_of(member("tools"));
        if (tools == nullptr) return std::nullopt;
        for (const json::value& tool : *tools) {
            // Anthropic's tools of a client's own have no type, or "custom".
            auto type = text_of(find(&tool, "type")).value_or(call_ == ModelCall::messages ? "function" : "");
            const bool known = type == "function" || (call_ == ModelCall::messages && type == "custom");
            if (engine_.kind == Kind::llama_server && !known)
                return Refusal{400,
                               "of tools only the type \"function\" is known here, not \"" +
                                   std::string(type.substr(0, 64)) + "\"",
                               "tools", "unsupported_value"};
            const json::value* function = find(&tool, "function");
            for (const char* name : {"parameters", "input_schema"})
                if (auto refusal = check_schema(find(function != nullptr ? function : &tool, name), "tools"))
                    return refusal;
        }
        return std::nullopt;
    }

    // The form that the answer is held to, in each of the ways to say it.
    std::optional<Refusal> check_form() {
        const json::value* format = member("response_format");
        const json::value* structured = member("structured_outputs");
        for (const json::value* schema :
             {member("json_schema"), find(format, "schema"), find(find(format, "json_schema"), "schema"),
              find(find(member("text"), "format"), "schema"), find(member("output_format"), "schema"),
              find(find(member("output_config"), "format"), "schema"), member("guided_json"), find(structured, "json")})
            if (auto refusal = check_schema(schema, "response_format")) return refusal;
        for (const json::value* grammar : {member("grammar"), member("guided_grammar"), find(structured, "grammar"),
                                           member("guided_regex"), find(structured, "regex")})
            if (auto refusal = check_grammar_text(grammar)) return refusal;
        if (auto refusal = few("guided_choice", limits_.schema.enumerated)) return refusal;
        return std::nullopt;
    }

    std::optional<Refusal> check_grammar_text(const json::value* grammar) const {
        auto text = text_of(grammar);
        if (!text || text->empty()) return std::nullopt;
        if (!engine_.grammars)
            return Refusal{400, "this model node takes no grammars of users; use response_format with a JSON schema",
                           "grammar", "unsupported_parameter"};
        Status checked = check_grammar(*text, limits_.grammar);
        if (checked) return std::nullopt;
        return Refusal{400, "the grammar is too large: " + checked.error().message, "grammar", "grammar_too_large"};
    }

    std::optional<Refusal> check_schema(const json::value* schema, const char* param) {
        if (!is_given(schema)) return std::nullopt;
        Status checked = schemas_.add(*schema);
        if (checked) return std::nullopt;
        return Refusal{400, checked.error().message, param, "unsupported_schema"};
    }

    std::optional<Refusal> check_media() {
        for (const char* name : {"messages", "input", "system", "prompt"}) {
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
    SchemaCheck schemas_;
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

std::optional<Refusal> check_request(const Request& request, const EngineTraits& engine, const RequestLimits& limits) {
    auto call = call_of(request);
    if (!call) return Refusal{404, "model nodes do not answer this method and path", "", "unknown_url"};
    if (engine.kind == Kind::llama_server && call == ModelCall::embeddings)
        return Refusal{400, "this model makes no embeddings; ask one that is made for them", "model",
                       "unsupported_model"};
    auto body = parse_json(as_text(request.body), prompt_memory_limit);
    if (!body) return Refusal{400, "the body cannot be read: " + body.error().message, "", "invalid_json"};
    if (!body->is_object()) return Refusal{400, "the body must be a JSON object", "", "invalid_json"};
    return BodyCheck(*call, body->get_object(), engine, limits).run(request.model);
}

std::string error_body(const Refusal& refusal) {
    const auto text_or_null = [](const std::string& text) { return text.empty() ? json::value() : json::value(text); };
    return compact(json::object{{"error", json::object{{"message", refusal.message},
                                                       {"type", "invalid_request_error"},
                                                       {"param", text_or_null(refusal.param)},
                                                       {"code", text_or_null(refusal.code)}}}});
}

}  // namespace planetserve::inference
