#include "inference/schema_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <string>

#include "inference/bounded_json.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

// Members whose value is data, not a schema.
constexpr std::array<std::string_view, 6> of_data{"enum", "const", "default", "examples", "example", "required"};
constexpr std::array<std::string_view, 3> of_alternatives{"anyOf", "oneOf", "allOf"};
constexpr std::array<std::string_view, 4> of_repetition{"minLength", "maxLength", "minItems", "maxItems"};

// Of a client's text in an error, in characters.
constexpr std::size_t longest_pattern_quoted = 64;

std::unexpected<Error> over(std::string_view what, std::size_t most) {
    return fail(ErrorCode::invalid_argument, "the request's schemas have too many " + std::string(what) +
                                                 "; this node takes " + std::to_string(most));
}

}  // namespace

Status SchemaCheck::add(const json::value& schema) { return walk(schema, 1, true); }

Status SchemaCheck::walk(const json::value& value, std::size_t depth, bool is_schema) {
    if (++values_ > limits_.values) return over("values", limits_.values);
    if (depth > limits_.depth) return over("levels", limits_.depth);
    if (const json::array* list = list_of(&value)) {
        for (const json::value& item : *list)
            if (Status walked = walk(item, depth + 1, is_schema); !walked) return walked;
    } else if (value.is_object()) {
        for (const auto& [name, item] : value.get_object()) {
            if (is_schema)
                if (Status checked = member(name, item); !checked) return checked;
            const bool inner = is_schema && std::ranges::find(of_data, std::string_view(name)) == of_data.end();
            if (Status walked = walk(item, depth + 1, inner); !walked) return walked;
        }
    }
    return {};
}

Status SchemaCheck::member(std::string_view name, const json::value& value) {
    if (const json::array* list = list_of(&value)) {
        const bool one_of_several = std::ranges::find(of_alternatives, name) != of_alternatives.end();
        if (name == "enum") enumerated_ += list->size();
        if (one_of_several) alternatives_ += list->size();
    }
    if (name == "properties" && value.is_object()) properties_ += value.get_object().size();
    if (enumerated_ > limits_.enumerated) return over("values in \"enum\"", limits_.enumerated);
    if (alternatives_ > limits_.alternatives) return over("alternatives (anyOf, oneOf, allOf)", limits_.alternatives);
    if (properties_ > limits_.properties) return over("properties", limits_.properties);
    if (auto times = number_of(&value); times && std::ranges::find(of_repetition, name) != of_repetition.end()) {
        repeated_ += static_cast<std::size_t>(std::clamp(*times, 0.0, static_cast<double>(limits_.repeated) + 1));
        if (repeated_ > limits_.repeated)
            return over("repetitions (minLength, maxLength, minItems, maxItems)", limits_.repeated);
    }
    auto text = name == "pattern" ? text_of(&value) : std::nullopt;
    return text ? pattern(*text) : Status{};
}

Status SchemaCheck::pattern(std::string_view text) {
    if (patterns_ == Patterns::any)
        return text.size() <= limits_.pattern.bytes ? Status{} : over("bytes in a pattern", limits_.pattern.bytes);
    auto costs = check_pattern(text, limits_.pattern);
    if (!costs)
        return fail(ErrorCode::invalid_argument, "the pattern \"" +
                                                     std::string(text.substr(0, longest_pattern_quoted)) +
                                                     "\" cannot be held to: " + costs.error().message);
    pattern_choices_ += costs->choices;
    if (pattern_choices_ > limits_.pattern_choices)
        return over("alternatives and varying repetitions in patterns", limits_.pattern_choices);
    return {};
}

}  // namespace planetserve::inference
