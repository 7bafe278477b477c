#include "inference/schema_parts.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 6> of_data{"enum", "const", "default", "examples", "example", "required"};
constexpr std::array<std::string_view, 6> of_names{
    "properties", "$defs", "definitions", "patternProperties", "dependentSchemas", "dependencies"};

// Of a client's text in an error, in characters.
constexpr std::size_t longest_quoted = 64;
// More alternatives are not compared.
constexpr std::size_t most_compared = 64;
// A longer constant is not compared.
constexpr std::size_t longest_constant = 256;
// References one after the other.
constexpr int most_hops = 8;

const json::value* step(const json::value& from, std::string_view token) {
    if (from.is_object()) return from.get_object().if_contains(token);
    const json::array* list = list_of(&from);
    std::size_t index = 0;
    const auto read = std::from_chars(token.data(), token.data() + token.size(), index);
    const bool plain = read.ec == std::errc{} && token == std::to_string(index);
    return list != nullptr && plain && index < list->size() ? &(*list)[index] : nullptr;
}

// What a text begins with that an alternative takes.
struct Opening {
    char kind;               // '"', '0', 'b', 'n', '[' or '{'
    std::string name{};      // of the first property; empty: any, or no object
    std::string constant{};  // all of the text, or the first property; empty: any
};

char kind_of(const json::value& constant) {
    switch (constant.kind()) {
        case json::kind::null:
            return 'n';
        case json::kind::bool_:
            return 'b';
        case json::kind::string:
            return '"';
        case json::kind::array:
            return '[';
        case json::kind::object:
            return '{';
        default:
            return '0';
    }
}

std::optional<char> kind_of_type(std::string_view type) {
    constexpr std::array<std::pair<std::string_view, char>, 7> kinds{{{"null", 'n'},
                                                                      {"boolean", 'b'},
                                                                      {"string", '"'},
                                                                      {"number", '0'},
                                                                      {"integer", '0'},
                                                                      {"array", '['},
                                                                      {"object", '{'}}};
    for (const auto& [name, kind] : kinds)
        if (name == type) return kind;
    return std::nullopt;
}

// The only value that the schema takes.
const json::value* constant_of(const json::value* schema) {
    if (const json::value* constant = find(schema, "const")) return constant;
    const json::array* list = list_of(find(schema, "enum"));
    return list != nullptr && list->size() == 1 ? &list->front() : nullptr;
}

std::string short_constant(const json::value* value) {
    if (value == nullptr || value->is_structured()) return {};
    std::string text = compact(*value);
    return text.size() <= longest_constant ? text : std::string{};
}

// Required properties come first, in the order of "properties".
void note_first_property(const json::value& schema, Opening& opening) {
    const json::array* required = list_of(find(&schema, "required"));
    const json::value* properties = find(&schema, "properties");
    if (required == nullptr || properties == nullptr || !properties->is_object()) return;
    for (const auto& [name, property] : properties->get_object()) {
        if (std::ranges::none_of(*required, [&](const json::value& one) { return text_of(&one) == name; })) continue;
        opening.name = std::string_view(name);
        opening.constant = short_constant(constant_of(&property));
        return;
    }
}

std::optional<Opening> opening_of(const json::value& root, const json::value& alternative) {
    const json::value* schema = &alternative;
    for (int hops = 0; auto reference = text_of(find(schema, "$ref")); ++hops) {
        auto target = resolve_reference(root, *reference);
        if (!target || hops == most_hops) return std::nullopt;
        schema = *target;
    }
    for (const char* further : {"$ref", "anyOf", "oneOf", "allOf"})
        if (find(schema, further) != nullptr) return std::nullopt;
    if (const json::value* constant = constant_of(schema))
        return Opening{kind_of(*constant), {}, short_constant(constant)};
    auto type = text_of(find(schema, "type"));
    auto kind = type && find(schema, "enum") == nullptr ? kind_of_type(*type) : std::nullopt;
    if (!kind) return std::nullopt;
    Opening opening{*kind};
    if (*kind == '{') note_first_property(*schema, opening);
    return opening;
}

bool differ(const Opening& a, const Opening& b) {
    if (a.kind != b.kind) return true;
    if (a.name != b.name) return !a.name.empty() && !b.name.empty();
    return !a.constant.empty() && !b.constant.empty() && a.constant != b.constant;
}

}  // namespace

SchemaMember schema_member(std::string_view name) {
    if (is_one_of(name, of_data)) return SchemaMember::data;
    if (is_one_of(name, of_names)) return SchemaMember::names;
    if (name == "anyOf" || name == "oneOf") return SchemaMember::alternatives;
    return name == "allOf" ? SchemaMember::together : SchemaMember::part;
}

Result<const json::value*> resolve_reference(const json::value& root, std::string_view reference) {
    const json::value* at = &root;
    std::string_view rest = reference;
    bool found = rest.starts_with('#');
    for (rest.remove_prefix(found ? 1 : 0); found && !rest.empty();) {
        found = rest.starts_with('/');
        rest.remove_prefix(found ? 1 : 0);
        const std::string_view token = rest.substr(0, rest.find('/'));
        at = found ? step(*at, token) : nullptr;
        found = at != nullptr;
        rest.remove_prefix(token.size());
    }
    if (found) return at;
    return fail(ErrorCode::invalid_argument, "the schema's reference \"" +
                                                 std::string(reference.substr(0, longest_quoted)) +
                                                 "\" leads to no part of the same schema");
}

bool are_told_apart(const json::value& root, const json::array& alternatives) {
    if (alternatives.size() > most_compared) return false;
    std::vector<Opening> openings;
    for (const json::value& alternative : alternatives) {
        auto opening = opening_of(root, alternative);
        if (!opening) return false;
        for (const Opening& before : openings)
            if (!differ(before, *opening)) return false;
        openings.push_back(std::move(*opening));
    }
    return true;
}

}  // namespace planetserve::inference
