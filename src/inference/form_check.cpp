#include "inference/form_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "inference/bounded_json.h"
#include "inference/prompt.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

using Kind = EngineTraits::Kind;

// Tools of Anthropic's that the client runs; their names end in a date.
constexpr std::array<std::string_view, 4> clients_tools{"bash_", "text_editor_", "computer_", "memory_"};
constexpr std::array<std::string_view, 3> formats{"text", "json_object", "json_schema"};
constexpr std::array<std::string_view, 7> structured_members{
    "json", "regex", "choice", "grammar", "json_object", "disable_any_whitespace", "disable_additional_properties"};

// One check of a body, with what it has counted so far.
class FormCheck {
public:
    FormCheck(ModelCall call, const json::object& body, const EngineTraits& engine, const RequestLimits& limits)
        : call_(call),
          body_(body),
          engine_(engine),
          limits_(limits),
          schemas_(limits.schema,
                   engine.kind == Kind::llama_server ? SchemaReader::llama_server : SchemaReader::other) {}

    std::optional<Refusal> run() {
        using Step = std::optional<Refusal> (FormCheck::*)();
        for (Step step : {&FormCheck::check_tools, &FormCheck::check_formats, &FormCheck::check_schemas,
                          &FormCheck::check_grammars})
            if (auto refusal = (this->*step)()) return refusal;
        if (variant_.empty()) return std::nullopt;
        return Refusal{400, "write the name of '" + variant_ + "' in small letters", variant_, "invalid_value"};
    }

private:
    // As find(); notes a member that some readers take for the one sought.
    const json::value* at(const json::value* value, std::string_view key) {
        if (value == nullptr || !value->is_object()) return nullptr;
        for (const auto& member : value->get_object())
            if (member.key().size() == key.size() && member.key() != key && lower_case(member.key()) == key)
                variant_ = std::string(key);
        return find(value, key);
    }
    const json::value* member(std::string_view name) const { return given(body_, name); }

    std::optional<Refusal> check_tools() {
        for (const char* name : {"tools", "functions"})
            if (const json::array* tools = list_of(member(name)))
                for (const json::value& tool : *tools)
                    if (auto refusal = check_tool(tool, name)) return refusal;
        return std::nullopt;
    }

    std::optional<Refusal> check_tool(const json::value& tool, const char* param) {
        const bool typed = std::string_view(param) == "tools";
        auto type = text_of(at(&tool, "type"));
        if (typed && !is_known_tool(type))
            return Refusal{400,
                           "tools of the type \"" + std::string(type.value_or("").substr(0, 64)) +
                               "\" are not known here; \"function\" is",
                           param, "unsupported_value"};
        // An engine reads one of them, and which is its own affair.
        for (const json::value* place : {&tool, at(&tool, "function"), at(&tool, "custom")}) {
            for (const char* name : {"parameters", "input_schema"})
                if (auto refusal = check_schema(at(place, name), param)) return refusal;
            const json::value* format = at(place, "format");
            for (const json::value* grammar : {at(format, "definition"), at(at(format, "grammar"), "definition")})
                if (auto refusal = check_grammar_text(grammar)) return refusal;
        }
        return std::nullopt;
    }

    // An upstream would run other tools itself, on the operator's account and from inside its network.
    bool is_known_tool(std::optional<std::string_view> type) const {
        const bool anthropic = call_ == ModelCall::messages || call_ == ModelCall::count_tokens;
        if (!type) return anthropic;
        if (*type == "function") return true;
        if (engine_.kind == Kind::llama_server) return anthropic && *type == "custom";
        return *type == "custom" || (anthropic && std::ranges::any_of(clients_tools, [&](std::string_view begin) {
                                         return type->starts_with(begin);
                                     }));
    }

    std::optional<Refusal> check_formats() {
        for (const json::value* format : {member("response_format"), at(member("text"), "format"),
                                          member("output_format"), at(member("output_config"), "format")}) {
            auto type = text_of(at(format, "type"));
            if (type && !is_one_of(*type, formats))
                return Refusal{400, "of forms only \"text\", \"json_object\" and \"json_schema\" are known",
                               "response_format", "unsupported_value"};
        }
        const json::value* structured = member("structured_outputs");
        if (structured == nullptr || !structured->is_object()) return std::nullopt;
        for (const auto& inner : structured->get_object())
            if (!inner.value().is_null() && !is_one_of(inner.key(), structured_members))
                return Refusal{400, "'" + std::string(inner.key().substr(0, 64)) + "' is not known",
                               "structured_outputs", "unsupported_parameter"};
        return std::nullopt;
    }

    // The form that the answer is held to, in each of the ways to say it.
    std::optional<Refusal> check_schemas() {
        const json::value* format = member("response_format");
        const json::value* texts = at(member("text"), "format");
        const json::value* structured = member("structured_outputs");
        const json::value* config = at(member("output_config"), "format");
        for (const json::value* schema :
             {member("json_schema"), at(format, "schema"), at(at(format, "json_schema"), "schema"), at(texts, "schema"),
              at(at(texts, "json_schema"), "schema"), at(member("output_format"), "schema"), at(config, "schema"),
              member("guided_json"), at(structured, "json")})
            if (auto refusal = check_schema(schema, "response_format")) return refusal;
        for (const json::value* choices : {member("guided_choice"), at(structured, "choice")}) {
            const json::array* list = list_of(choices);
            if (list != nullptr && list->size() > limits_.schema.enumerated)
                return Refusal{400, "there may be at most " + std::to_string(limits_.schema.enumerated) + " choices",
                               "guided_choice", "invalid_value"};
        }
        return std::nullopt;
    }

    std::optional<Refusal> check_grammars() {
        const json::value* structured = member("structured_outputs");
        for (const json::value* grammar :
             {member("grammar"), member("guided_grammar"), at(structured, "grammar"), member("guided_regex"),
              at(structured, "regex"), member("regex"), member("ebnf")})
            if (auto refusal = check_grammar_text(grammar)) return refusal;
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

    // Some engines take a schema as text.
    std::optional<Refusal> check_schema(const json::value* schema, const char* param) {
        if (!is_given(schema)) return std::nullopt;
        std::optional<Result<json::value>> read;
        if (auto text = text_of(schema)) {
            read = parse_json(*text, prompt_memory_limit);
            if (!*read) return Refusal{400, "a schema that is text must be JSON", param, "unsupported_schema"};
            schema = &**read;
        }
        Status checked = schemas_.add(*schema);
        if (checked) return std::nullopt;
        return Refusal{400, checked.error().message, param, "unsupported_schema"};
    }

    ModelCall call_;
    const json::object& body_;
    const EngineTraits& engine_;
    const RequestLimits& limits_;
    SchemaCheck schemas_;
    std::string variant_{};  // a name that was found in other letters
};

}  // namespace

std::optional<Refusal> check_forms(ModelCall call, const json::object& body, const EngineTraits& engine,
                                   const RequestLimits& limits) {
    return FormCheck(call, body, engine, limits).run();
}

}  // namespace planetserve::inference
