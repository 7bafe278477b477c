#include "eval/live/live_ablation.h"

#include <CLI/CLI.hpp>

#include "eval/live/live_work.h"

namespace planetserve::eval {

void LiveAblation::add_options(CLI::App& app) {
    auto* flag = app.add_flag("--live", live, "with real engines on this machine");
    app.add_option("--live-requests", requests, "in each arm (default 120; --quick 30)")
        ->check(CLI::Range(1, 100'000))
        ->needs(flag);
    app.add_option("--live-tools", tools, "prompts that requests share (default 12)")
        ->check(CLI::Range(1, 1000))
        ->needs(flag);
    app.add_option("--hr-tree-url", tree_url, "base URL of a network that forwards by the HR-tree alone")->needs(flag);
    app.add_option("--balanced-url", balanced_url, "base URL of a network that balances load as well")->needs(flag);
    contest.add_options(app);
}

Status LiveAblation::run(const RunOptions& options, Report& report) {
    contest.seed = options.seed;
    if (Status resolved = contest.engines.resolve(); !resolved) return resolved;
    LiveWork work = tool_work(tools, options.quick ? std::min<std::size_t>(requests, 30) : requests, options.seed);
    if (Status timed = contest.time(work.items, report); !timed) return timed;
    std::vector<ContestArm> arms{round_robin_arm()};
    if (!tree_url.empty()) arms.push_back(network_arm("hr_tree", "this network, HR-tree alone", tree_url));
    if (!balanced_url.empty()) arms.push_back(network_arm("hr_tree_and_load", "this network", balanced_url));
    return contest.run(arms, work.items, work.ceiling, report);
}

}  // namespace planetserve::eval
