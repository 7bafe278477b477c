// How long prompts and answers are, in tokens: from traces of production, or from their quantiles where there are none.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.h"
#include "base/result.h"

namespace planetserve::eval {

struct Lengths {
    std::uint32_t prompt = 0;
    std::uint32_t answer = 0;
};

struct LengthTrace {
    std::string name;  // letters, digits and '_'
    std::vector<Lengths> requests;
};

// "TIMESTAMP,ContextTokens,GeneratedTokens" and such lines (the Azure traces of 2023). Errors name the line.
Result<std::vector<Lengths>> parse_azure_trace(std::string_view text);

// A file ending in .csv is an Azure trace, any other one of Mooncake's (workload/trace.h); named after the file.
Result<LengthTrace> read_length_trace(const std::filesystem::path& file);

// The two traces of default_trace's folder that are there; where none is, the same two drawn from their quantiles,
// prompts and answers independently, under names that end in "_quantiles".
Result<std::vector<LengthTrace>> default_length_traces(Random& random);

}  // namespace planetserve::eval
