// Whether a JSON schema that a stranger wrote is small enough for an engine, which makes a grammar of it, and whether
// llama-server would obey its patterns (pattern_check.h).
//
// A kilobyte of schema can stand for a million rules: definitions use definitions, and a list of types is a copy of the
// schema for each. So the work is counted as the engine does it, with references and lists written out.
#pragma once

#include <boost/json/fwd.hpp>

#include "inference/pattern_check.h"

namespace planetserve::inference {

// Of all schemas of one request together: tools, and the form of the answer.
struct SchemaLimits {
    std::size_t depth = 32;                // objects and lists in one another
    std::size_t values = 8192;             // of all kinds: 128 tools with a dozen properties each
    std::size_t unfolded_depth = 128;      // with references written out
    std::size_t unfolded = 32768;          // values, with references and lists of types written out
    std::size_t types = 7;                 // in one list of types: JSON has no more
    std::size_t properties = 512;          // 1,000 took an engine 4 s to read, 5,000 over a minute
    std::size_t enumerated = 1024;         // in "enum", and alternatives that begin differently
    std::size_t literal_bytes = 64 << 10;  // of property names, "enum" and "const": each stands in the grammar
    std::size_t alternatives = 64;         // in "anyOf" and "oneOf", with references written out
    std::size_t repeated = 2000;           // sum of "minLength", "maxLength", "minItems" and "maxItems"
    std::size_t pattern_choices = 64;      // of all patterns (PatternCosts)
    PatternLimits pattern{};
};

enum class SchemaReader {
    llama_server,  // a pattern that it would ignore is refused
    other,         // only the size of patterns counts
};

// What the schemas so far have of each. All but the last two count a part of the text once.
struct SchemaCosts {
    std::size_t values = 0;
    std::size_t properties = 0;
    std::size_t enumerated = 0;
    std::size_t literal_bytes = 0;
    std::size_t repeated = 0;
    std::size_t pattern_choices = 0;
    std::size_t alternatives = 0;
    std::size_t unfolded = 0;
};

class SchemaCheck {
public:
    SchemaCheck(const SchemaLimits& limits, SchemaReader reader) : limits_(limits), reader_(reader) {}

    // Counts one more schema. invalid_argument names what is too much or not known. Anything that is no object or
    // boolean is left to the engine.
    Status add(const boost::json::value& schema);

private:
    const SchemaLimits& limits_;
    SchemaReader reader_;
    SchemaCosts costs_;
};

}  // namespace planetserve::inference
