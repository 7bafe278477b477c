// The live half of the forwarding ablation: engines in turn, this network with the paper's decision alone, and this
// network, on prompts of few tools (Zipf 1.1). For an experiment that has a simulated half as well.
#pragma once

#include "eval/kit/experiment.h"
#include "eval/kit/live/contest.h"

namespace planetserve::eval {

struct LiveAblation {
    bool live = false;  // --live
    Contest contest;
    std::size_t requests = 120;
    std::size_t tools = 12;

    void add_options(CLI::App& app);
    Status run(const RunOptions& options, Report& report);
};

}  // namespace planetserve::eval
