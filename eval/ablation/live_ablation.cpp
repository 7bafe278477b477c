#include "eval/ablation/live_ablation.h"

#include <CLI/CLI.hpp>

#include "eval/kit/live/live_work.h"

namespace planetserve::eval {

void LiveAblation::add_options(CLI::App& app) {
    auto* flag = app.add_flag("--live", live, "with real engines on this machine");
    app.add_option("--live-requests", requests, "in each arm (default 120; --quick 30)")
        ->check(CLI::Range(1, 100'000))
        ->needs(flag);
    app.add_option("--live-tools", tools, "prompts that requests share (default 12)")
        ->check(CLI::Range(1, 1000))
        ->needs(flag);
    contest.add_options(app);
}

Status LiveAblation::run(const RunOptions& options, Report& report) {
    contest.seed = options.seed;
    if (Status resolved = contest.engines.resolve(); !resolved) return resolved;
    LiveWork work = tool_work(tools, options.quick ? std::min<std::size_t>(requests, 30) : requests, options.seed);
    if (Status timed = contest.time(work.items, report); !timed) return timed;
    LocalNetworkOptions network{.engines = contest.engines, .model_nodes = contest.engine_count};
    LocalNetworkOptions paper = network;
    paper.without_additions = {"count_computing",    "count_in_flight",        "count_others", "expected_cost",
                               "ignore_common_part", "prefer_partial_holders", "spread_ties"};
    return contest.run({round_robin_arm(), network_arm("hr_tree_and_load", "this network, the paper's decision", paper),
                        network_arm("ours", "this network", network)},
                       work.items, work.ceiling, report);
}

}  // namespace planetserve::eval
