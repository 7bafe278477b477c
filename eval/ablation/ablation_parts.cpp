#include "eval/ablation/ablation_parts.h"

#include <algorithm>
#include <functional>

namespace planetserve::eval {

using simulator::Arm;

namespace {

struct Addition {
    const char* name;
    std::function<void(simulator::ClusterOptions&)> switch_off;
};

const std::vector<Addition>& additions() {
    static const std::vector<Addition> all{
        {"(all on)", [](auto&) {}},
        {"count_in_flight", [](auto& options) { options.member.decision.count_in_flight = false; }},
        {"spread_ties", [](auto& options) { options.member.decision.spread_ties = false; }},
        {"expected_cost", [](auto& options) { options.member.decision.expected_cost = false; }},
        {"count_others", [](auto& options) { options.member.decision.count_others = false; }},
        {"displacement", [](auto& options) { options.member.decision.displacement = 0; }},
        {"load_weight", [](auto& options) { options.member.decision.load_weight = 0; }},
        {"ignore_common_part and expected_cost",
         [](auto& options) {
             options.member.decision.expected_cost = options.member.decision.ignore_common_part = false;
         }},
        {"prefer_partial_holders and expected_cost",
         [](auto& options) {
             options.member.decision.expected_cost = options.member.decision.prefer_partial_holders = false;
         }},
        {"count_computing", [](auto& options) { options.member.count_computing = false; }},
        {"urgent reports of load", [](auto& options) { options.member.urgent_pause = options.member.sync_period; }},
        {"urgent reports of waiting prompts", [](auto& options) { options.member.publisher.urgent_wait = 1e9; }},
        // Not off but on.
        {"(with the sentry's array)", [](auto& options) { options.member.adapt_array = true; }},
    };
    return all;
}

}  // namespace

const ClusterFigures& of(const ArmFigures& figures, Arm arm) {
    return std::ranges::find(figures, arm, &ArmFigures::value_type::first)->second;
}

Result<ArmFigures> run_arms(const ClusterWork& work, Table& table) {
    ArmFigures all;
    for (Arm arm : {Arm::round_robin, Arm::hr_tree, Arm::hr_tree_load_balancing, Arm::ours, Arm::oracle}) {
        simulator::ClusterOptions options = work.cluster;
        options.arm = arm;
        auto figures = run_with_progress(work.name + ", " + std::string(to_string(arm)), work.requests, options);
        if (!figures) return std::unexpected(figures.error());
        table.add(figure_row({work.name, to_string(arm)}, *figures));
        all.emplace_back(arm, *figures);
    }
    return all;
}

Status run_additions(const std::vector<ClusterWork>& works, Report& report) {
    Table full(figure_columns({"work", "switched_off"}));
    std::vector<std::string> columns{"switched off"};
    for (const ClusterWork& work : works)
        for (const char* figure : {": mean s", ": p99 s", ": cached"}) columns.push_back(work.name + figure);
    Table brief(columns);
    for (const Addition& addition : additions()) {
        std::vector<Cell> row{addition.name};
        for (const ClusterWork& work : works) {
            simulator::ClusterOptions options = work.cluster;
            addition.switch_off(options);
            auto figures = run_with_progress(work.name + " without " + addition.name, work.requests, options);
            if (!figures) return std::unexpected(figures.error());
            full.add(figure_row({work.name, addition.name}, *figures));
            for (double value : {figures->latency.mean, figures->latency.p99, figures->hit_share})
                row.emplace_back(value);
        }
        brief.add(std::move(row));
    }
    report.print("Ours with one addition beyond the paper off at a time", brief);
    return report.csv("additions", full);
}

Status run_scale(std::size_t most_nodes, std::uint64_t seed, Report& report) {
    // The paper's rule sends everyone to the node that was idle last; beyond this many it only takes time to see it.
    constexpr std::size_t most_for_paper = 64;
    constexpr std::size_t requests_a_node = 30;
    constexpr std::size_t most_requests = 4000;
    Table table(figure_columns({"nodes", "arm"}));
    Figure latency{.name = "scale",
                   .title = "Tool prompts, 80% of round-robin's capacity",
                   .x_label = "model nodes",
                   .y_label = "mean latency (s)",
                   .style = Figure::Style::lines_and_points,
                   .log_x = true,
                   .series = {{"round-robin"}, {"HR-tree + load balancing"}, {"ours"}}};
    for (std::size_t nodes = 8; nodes <= most_nodes; nodes *= 2) {
        SeededRandom random(seed);
        ClusterWork work{.name = std::to_string(nodes) + " nodes",
                         .requests = shared_prompts(simulator::SharedPrompts::tools(4 * nodes),
                                                    std::min(requests_a_node * nodes, most_requests), random),
                         .cluster = {}};
        work.cluster.nodes = nodes;
        work.cluster.seed = seed;
        // The trees of all nodes stand in this one process: long chunks, and one array, keep them small.
        work.cluster.member.array.tail = 2048;
        work.cluster.member.adapt_array = false;
        if (Status set = set_load(work, 0.8, random); !set) return set;
        std::size_t series = 0;
        for (Arm arm : {Arm::round_robin, Arm::hr_tree_load_balancing, Arm::ours}) {
            auto& points = latency.series[series++].points;
            if (arm == Arm::hr_tree_load_balancing && nodes > most_for_paper) continue;
            work.cluster.arm = arm;
            auto figures =
                run_with_progress(work.name + ", " + std::string(to_string(arm)), work.requests, work.cluster);
            if (!figures) return std::unexpected(figures.error());
            table.add(figure_row({nodes, to_string(arm)}, *figures));
            points.emplace_back(nodes, figures->latency.mean);
            if (arm != Arm::ours) continue;
            report.summary("scale_nodes", nodes);
            report.summary("scale_" + std::to_string(nodes) + "_sync_bytes_per_node_s", figures->sync_bytes);
        }
        const auto& plain = latency.series[0].points.back().second;
        report.summary("scale_" + std::to_string(nodes) + "_mean_latency_reduction",
                       1 - latency.series[2].points.back().second / plain);
    }
    report.print("Scale: tool prompts, four tools a node", table);
    report.figure(latency);
    return report.csv("scale", table);
}

}  // namespace planetserve::eval
