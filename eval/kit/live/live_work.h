// Work that small engines on one machine can do, with the prefix structure of real work.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/workload/trace.h"

namespace planetserve::eval {

struct LiveWork {
    std::vector<WorkItem> items;  // without times
    double ceiling = 0;           // share of prompt tokens that one infinite cache would hold
};

// Whole conversations of two turns and more of a trace, scaled to a tenth: prompts of 200 to 1,200 tokens, answers of
// at most 64. An empty path: the default trace.
Result<LiveWork> conversation_work(const std::string& trace, std::size_t requests, std::uint64_t seed);

// Few long prompts that describe tools, each followed by a short question of its own: `tools` prompts of 400 to 900
// tokens drawn by Zipf's law with exponent 1.1, questions of 20 to 60, answers of 16.
LiveWork tool_work(std::size_t tools, std::size_t requests, std::uint64_t seed);

}  // namespace planetserve::eval
