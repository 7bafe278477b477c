// Regular expressions in JSON schemas that strangers wrote ("pattern"). llama-server turns one into a grammar. It
// understands a part of them, and answers without any constraint where it meets the rest: that is refused here.
//
// At each token the engine tries its whole vocabulary at every place where the text so far may stand in the pattern.
// Thirty times [a-z]* after one another stopped an engine for minutes, ten cost some 70 ms a token (SmolLM2 135M, one
// thread): so what makes a text stand at many places is counted, inner repetitions as often as outer ones repeat them.
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace planetserve::inference {

struct PatternLimits {
    std::size_t bytes = 1024;
    std::size_t depth = 16;               // of brackets
    std::size_t choices = 12;             // alternatives, and parts with *, +, ?, {m,} or {m,n}
    std::size_t repeated = 1000;          // sum of the counts in { }: each is written out
    std::size_t repeated_together = 128;  // the same of {m,n}, where there are several
};

// With repetitions written out; none is counted beyond a million.
struct PatternCosts {
    std::size_t depth = 0;
    std::size_t choices = 0;
    std::size_t repeated = 0;
    std::size_t varying = 0;  // parts with {m,} or {m,n}
    std::size_t repeated_varying = 0;
};

// invalid_argument says what is too much or not understood.
Result<PatternCosts> check_pattern(std::string_view pattern, const PatternLimits& limits);

}  // namespace planetserve::inference
