// The parts of the experiment `ablation`. Each prints its table and writes its files.
#pragma once

#include "eval/report.h"
#include "eval/routing/cluster_figures.h"

namespace planetserve::eval {

// Work, and the engines it is for.
struct AblationWork {
    std::string name;
    simulator::Workload requests{};
    simulator::ClusterOptions cluster{};
    // Keep the requests' own times, made faster or slower; else arrivals are a Poisson process.
    bool own_times = false;
};

// The first so many requests (0: all) of a trace's file, of the default trace when it is empty, for large engines.
Result<AblationWork> trace_work(const std::string& file, std::size_t most);

// Sets arrivals to that share of what the cluster's engines serve behind round-robin.
Status set_load(AblationWork& work, double load, Random& random);

using ArmFigures = std::vector<std::pair<simulator::Arm, ClusterFigures>>;
const ClusterFigures& of(const ArmFigures& figures, simulator::Arm arm);

// All five arms, into the table (columns: work, arm, figures).
Result<ArmFigures> run_arms(const AblationWork& work, Table& table);

// Ours, and ours with one addition beyond the paper switched off at a time, on each work. The load must be set.
Status run_additions(const std::vector<AblationWork>& works, Report& report);

// Tool prompts on 8, 16, ... nodes up to the most; 30 requests a node, but 4,000 in all at most: every report of load
// goes to everyone, so that work grows with the square of the nodes.
Status run_scale(std::size_t most_nodes, std::uint64_t seed, Report& report);

}  // namespace planetserve::eval
