// Whether a grammar is small enough that llama-server can read it: 60,000 brackets end its process.
//
// That does not bound what a token costs. Text that may stand at many places of a grammar makes each token slow, and
// rules that use rules make many places of few characters: a kilobyte stopped an engine for minutes. So grammars are
// for users whom the operator trusts (EngineTraits::grammars).
#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"

namespace planetserve::inference {

struct GrammarLimits {
    std::size_t bytes = 16 << 10;
    std::size_t depth = 16;  // of brackets
    std::size_t rules = 256;
    std::size_t alternatives = 256;
    std::size_t repetitions = 64;  // parts with *, + or ?, and with {m,n}
    std::size_t repeated = 2000;   // sum of what stands in {m,n}: each is written out
};

// GBNF, llama.cpp's notation. Counts what costs; the engine judges whether it is right. invalid_argument names the
// limit.
Status check_grammar(std::string_view grammar, const GrammarLimits& limits);

}  // namespace planetserve::inference
