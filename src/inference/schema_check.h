// Whether a JSON schema that a stranger wrote is small enough for an engine, which makes a grammar of it, and whether
// llama-server would obey its patterns (pattern_check.h).
#pragma once

#include <boost/json/fwd.hpp>

#include "inference/pattern_check.h"

namespace planetserve::inference {

// Of all schemas of one request together: tools, and the form of the answer.
struct SchemaLimits {
    std::size_t depth = 32;            // objects and lists in one another
    std::size_t values = 8192;         // of all kinds: 128 tools with a dozen properties each
    std::size_t properties = 512;      // 1,000 took an engine 4 s to read, 5,000 over a minute
    std::size_t enumerated = 1024;     // in "enum"
    std::size_t alternatives = 64;     // in "anyOf", "oneOf" and "allOf"
    std::size_t repeated = 2000;       // sum of "minLength", "maxLength", "minItems" and "maxItems"
    std::size_t pattern_choices = 64;  // of all patterns (PatternCosts)
    PatternLimits pattern{};
};

enum class Patterns {
    must_hold,  // one that llama-server would ignore is refused
    any,        // the engine is another; only their size counts
};

class SchemaCheck {
public:
    SchemaCheck(const SchemaLimits& limits, Patterns patterns) : limits_(limits), patterns_(patterns) {}

    // Counts one more schema. invalid_argument names what is too much or not known. Anything that is no object or
    // boolean is left to the engine.
    Status add(const boost::json::value& schema);

private:
    Status walk(const boost::json::value& value, std::size_t depth, bool is_schema);
    Status member(std::string_view name, const boost::json::value& value);
    Status pattern(std::string_view text);

    const SchemaLimits& limits_;
    Patterns patterns_;
    std::size_t values_ = 0;
    std::size_t properties_ = 0;
    std::size_t enumerated_ = 0;
    std::size_t alternatives_ = 0;
    std::size_t repeated_ = 0;
    std::size_t pattern_choices_ = 0;
};

}  // namespace planetserve::inference
