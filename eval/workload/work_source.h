// The options that say which work an experiment sends, and reading it.
#pragma once

#include <CLI/App.hpp>
#include <string>
#include <vector>

#include "eval/workload/trace.h"
#include "eval/workload/work.h"

namespace planetserve::eval {

struct WorkSource {
    std::string workload;     // a JSONL file
    std::string trace;        // a file in Mooncake's format; the default trace where neither is named
    double scale = 1;         // of the trace's lengths
    double output_scale = 0;  // of its answers; 0: as scale
    std::uint32_t output_limit = 4096;
    std::size_t requests = 0;  // the first N; 0: all
    double rate = 0;           // a Poisson process's, a second; 0: the work's own times
    double speed = 1;          // of these

    void add_options(CLI::App& app);
    // Each item has a time. Errors name the file.
    Result<std::vector<WorkItem>> read(std::uint64_t seed) const;
};

}  // namespace planetserve::eval
