// Traces of lengths and shared prefixes (Mooncake's format), and prompts that have that structure.
//
// A trace names, for each request, the ids of its prompt's blocks of 512 tokens; equal ids mean equal text up to there.
// A prompt made from it has, for each id, the same words every time, so that whatever caches prefixes finds in it what
// it would have found in the original.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "eval/workload/work.h"

namespace planetserve::eval {

inline constexpr std::uint32_t trace_block_tokens = 512;

struct TraceRequest {
    std::int64_t timestamp_ms = 0;
    std::uint32_t input_length = 0;  // tokens
    std::uint32_t output_length = 0;
    std::vector<std::uint64_t> hash_ids;
};

// One object a line: {"timestamp": 0, "input_length": 6758, "output_length": 500, "hash_ids": [0, 1, ...]}. Errors name
// the line.
Result<std::vector<TraceRequest>> parse_trace(std::string_view text);

// PLANETSERVE_TRACES, else shared/data/traces beside the checkout that PLANETSERVE_ROOT names, if there is one; the
// conversation trace in it. not_found with what to do.
Result<std::filesystem::path> default_trace();

struct TraceFile {
    std::filesystem::path path;
    std::vector<TraceRequest> requests;
};
// The default trace where no file is named. Errors name the file.
Result<TraceFile> read_trace(const std::string& file);

// How a trace's lengths are brought down to what small models and machines can do.
struct TraceScale {
    double input = 1;   // of each block and so of each prompt
    double output = 1;  // of each answer
    std::uint32_t output_limit = token_limit;
};

// A word is about a token: they are short English words that tokenizers have whole.
std::string prompt_of(const TraceRequest& request, const TraceScale& scale);

// The item of a request, with the trace's own time.
WorkItem work_of(const TraceRequest& request, const TraceScale& scale);

// Conversations: requests that agree in the first two blocks (the first is often a system prompt common to all). Picks
// whole conversations of at least `turns` requests, all of them between the given lengths, until there are `count`
// requests; in the trace's order. Fewer when there are no more.
std::vector<TraceRequest> pick_conversations(const std::vector<TraceRequest>& trace, std::size_t count,
                                             std::size_t turns, std::uint32_t shortest, std::uint32_t longest,
                                             Random& random);

// The share of prompt tokens that one infinite cache over all requests, in this order, would hold: the ceiling.
double infinite_cache_share(const std::vector<TraceRequest>& requests);

}  // namespace planetserve::eval
