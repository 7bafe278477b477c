#include "inference/schema_check.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <limits>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include "inference/bounded_json.h"
#include "inference/schema_parts.h"

namespace planetserve::inference {

namespace json = boost::json;

namespace {

constexpr std::array<std::string_view, 4> of_repetition{"minLength", "maxLength", "minItems", "maxItems"};
// Types whose further members an engine reads.
constexpr std::array<std::string_view, 3> with_members{"object", "array", "string"};

// Of a client's text in an error, in characters.
constexpr std::size_t longest_pattern_quoted = 64;

std::unexpected<Error> wrong_schema(std::string why) { return fail(ErrorCode::invalid_argument, std::move(why)); }

std::unexpected<Error> over(std::string_view what, std::size_t most) {
    return wrong_schema("the request's schemas have too many " + std::string(what) + "; this node takes " +
                        std::to_string(most));
}

// Every value of the text, whatever it means.
Status measure(const json::value& value, std::size_t depth, const SchemaLimits& limits, SchemaCosts& costs) {
    if (++costs.values > limits.values) return over("values", limits.values);
    if (depth > limits.depth) return over("levels", limits.depth);
    if (const json::array* list = list_of(&value)) {
        for (const json::value& item : *list)
            if (Status measured = measure(item, depth + 1, limits, costs); !measured) return measured;
    } else if (value.is_object()) {
        for (const auto& member : value.get_object())
            if (Status measured = measure(member.value(), depth + 1, limits, costs); !measured) return measured;
    }
    return {};
}

// The texts and names within, in bytes.
std::size_t literals(const json::value& value) {
    std::size_t bytes = text_of(&value).value_or("").size();
    if (const json::array* list = list_of(&value))
        for (const json::value& item : *list) bytes += literals(item);
    if (value.is_object())
        for (const auto& [name, item] : value.get_object()) bytes += name.size() + literals(item);
    return bytes;
}

// One schema, read as an engine reads it: through its references, as often as they are used.
class SchemaWalk {
public:
    SchemaWalk(const json::value& root, const SchemaLimits& limits, SchemaReader reader, SchemaCosts& costs)
        : root_(root), limits_(limits), reader_(reader), costs_(costs), under_way_{&root} {}

    Status run() {
        auto walked = schema(root_, {});
        return walked ? Status{} : std::unexpected(walked.error());
    }

private:
    struct Place {
        std::size_t depth = 1;
        std::size_t weight = 1;     // copies: one for each type of the lists around
        std::size_t bare_from = 0;  // references from this one on were followed without reading anything of the answer
        bool together = false;      // in "allOf", which writes properties out again at each use
    };

    // The outermost reference under way that a part leads back to.
    using Back = std::size_t;
    static constexpr Back nowhere = std::numeric_limits<Back>::max();

    Result<Back> schema(const json::value& value, Place place) {
        costs_.unfolded += place.weight;
        if (costs_.unfolded > limits_.unfolded)
            return over("values when references and lists of types are written out", limits_.unfolded);
        if (place.depth > limits_.unfolded_depth)
            return over("levels when references are written out", limits_.unfolded_depth);
        ++place.depth;
        Back back = nowhere;
        if (const json::array* list = list_of(&value)) return all(*list, place);
        if (!value.is_object()) return back;
        const bool first = seen_.insert(&value).second;
        if (auto copies = copies_of(find(&value, "type")); copies)
            place.weight *= *copies;
        else
            return std::unexpected(copies.error());
        for (const auto& [name, item] : value.get_object()) {
            if (first || place.together)
                if (Status counted = count(name, item, first); !counted) return std::unexpected(counted.error());
            auto led = member(name, item, place, first);
            if (!led) return led;
            back = std::min(back, *led);
        }
        return back;
    }

    Result<Back> member(std::string_view name, const json::value& value, Place place, bool first) {
        if (name == "$ref") return reference(value, place);
        if (name == "$dynamicRef" || name == "$recursiveRef")
            return wrong_schema("schemas with \"" + std::string(name) + "\" are not read");
        const SchemaMember kind = schema_member(name);
        const json::array* list = list_of(&value);
        if (kind == SchemaMember::data) return nowhere;
        if (kind == SchemaMember::alternatives && list != nullptr) return alternatives(*list, place, first);
        if (kind == SchemaMember::together) {
            place.together = true;
            return schema(value, place);
        }
        place.bare_from = under_way_.size();
        place.together = false;
        if (kind != SchemaMember::names || !value.is_object()) return schema(value, place);
        Back back = nowhere;
        for (const auto& named : value.get_object()) {
            auto led = schema(named.value(), place);
            if (!led) return led;
            back = std::min(back, *led);
        }
        return back;
    }

    Result<Back> all(const json::array& list, const Place& place) {
        Back back = nowhere;
        for (const json::value& item : list) {
            auto led = schema(item, place);
            if (!led) return led;
            back = std::min(back, *led);
        }
        return back;
    }

    // Where two alternatives begin alike, the engine follows both; where both lead back here, that doubles with each
    // level of the answer.
    Result<Back> alternatives(const json::array& list, const Place& place, bool first) {
        auto known = told_apart_.find(&list);
        if (known == told_apart_.end()) known = told_apart_.emplace(&list, are_told_apart(root_, list)).first;
        const bool told_apart = known->second;
        if (told_apart)
            costs_.enumerated += first ? list.size() : 0;
        else if (list.size() > 1)
            costs_.alternatives += list.size() * place.weight;
        if (costs_.enumerated > limits_.enumerated) return over("alternatives", limits_.enumerated);
        if (costs_.alternatives > limits_.alternatives)
            return over("alternatives (anyOf, oneOf) that may begin alike", limits_.alternatives);
        Back back = nowhere;
        std::size_t leading_back = 0;
        for (const json::value& item : list) {
            auto led = schema(item, place);
            if (!led) return led;
            leading_back += *led != nowhere ? 1 : 0;
            back = std::min(back, *led);
        }
        if (leading_back > 1 && !told_apart)
            return wrong_schema(
                "several alternatives (anyOf, oneOf) of the schema refer back to it; each needs a first property "
                "that is required and has a name or a \"const\" of its own");
        return back;
    }

    Result<Back> reference(const json::value& value, Place place) {
        auto text = text_of(&value);
        if (!text) return wrong_schema("a schema's \"$ref\" must be a text");
        auto target = resolve_reference(root_, *text);
        if (!target) return std::unexpected(target.error());
        const auto found = std::ranges::find(under_way_, *target);
        const auto at = static_cast<std::size_t>(found - under_way_.begin());
        if (found != under_way_.end()) {
            if (at >= place.bare_from) return wrong_schema("a schema's reference leads to nothing but itself");
            return at;
        }
        under_way_.push_back(*target);
        auto led = schema(**target, place);
        under_way_.pop_back();
        // What leads no further back than here is closed.
        if (led && *led >= at) return nowhere;
        return led;
    }

    // How often the members are read.
    Result<std::size_t> copies_of(const json::value* type) const {
        const json::array* list = list_of(type);
        if (list == nullptr) return 1;
        if (list->size() > limits_.types) return over("types in one list", limits_.types);
        std::size_t copies = 0;
        for (auto one = list->begin(); one != list->end(); ++one) {
            auto name = text_of(&*one);
            if (!name) return wrong_schema("a list of types in a schema may hold names only");
            if (std::find(list->begin(), one, *one) != one)
                return wrong_schema("a list of types in a schema names one twice");
            copies += is_one_of(*name, with_members) ? 1 : 0;
        }
        return std::max<std::size_t>(copies, 1);
    }

    // What a member costs when it is met for the first time; of properties written out again, those alone.
    Status count(std::string_view name, const json::value& value, bool first) {
        if (name == "properties" && value.is_object()) costs_.properties += value.get_object().size();
        if (costs_.properties > limits_.properties) return over("properties", limits_.properties);
        if (!first) return {};
        if (name == "properties" && value.is_object())
            for (const auto& property : value.get_object()) costs_.literal_bytes += property.key().size();
        if (name == "enum" || name == "const") costs_.literal_bytes += literals(value);
        if (const json::array* list = list_of(&value); list != nullptr && name == "enum")
            costs_.enumerated += list->size();
        if (costs_.enumerated > limits_.enumerated) return over("values in \"enum\"", limits_.enumerated);
        if (costs_.literal_bytes > limits_.literal_bytes)
            return over("bytes in names of properties, \"enum\" and \"const\"", limits_.literal_bytes);
        if (auto times = number_of(&value); times && is_one_of(name, of_repetition)) {
            costs_.repeated +=
                static_cast<std::size_t>(std::clamp(*times, 0.0, static_cast<double>(limits_.repeated) + 1));
            if (costs_.repeated > limits_.repeated)
                return over("repetitions (minLength, maxLength, minItems, maxItems)", limits_.repeated);
        }
        auto text = name == "pattern" ? text_of(&value) : std::nullopt;
        return text ? pattern(*text) : Status{};
    }

    Status pattern(std::string_view text) {
        if (reader_ == SchemaReader::other)
            return text.size() <= limits_.pattern.bytes ? Status{} : over("bytes in a pattern", limits_.pattern.bytes);
        auto costs = check_pattern(text, limits_.pattern);
        if (!costs)
            return wrong_schema("the pattern \"" + std::string(text.substr(0, longest_pattern_quoted)) +
                                "\" cannot be held to: " + costs.error().message);
        costs_.pattern_choices += costs->choices;
        if (costs_.pattern_choices > limits_.pattern_choices)
            return over("alternatives and varying repetitions in patterns", limits_.pattern_choices);
        return {};
    }

    const json::value& root_;
    const SchemaLimits& limits_;
    SchemaReader reader_;
    SchemaCosts& costs_;
    std::vector<const json::value*> under_way_;  // what references lead to, outermost first
    std::unordered_set<const json::value*> seen_;
    std::map<const json::array*, bool> told_apart_;
};

}  // namespace

Status SchemaCheck::add(const json::value& schema) {
    if (Status measured = measure(schema, 1, limits_, costs_); !measured) return measured;
    return SchemaWalk(schema, limits_, reader_, costs_).run();
}

}  // namespace planetserve::inference
