// The parts of the experiment `ablation`. Each prints its table and writes its files.
#pragma once

#include "eval/kit/cluster/cluster_figures.h"
#include "eval/kit/cluster/cluster_work.h"
#include "eval/kit/report.h"

namespace planetserve::eval {

using ArmFigures = std::vector<std::pair<simulator::Arm, ClusterFigures>>;
const ClusterFigures& of(const ArmFigures& figures, simulator::Arm arm);

// All five arms, into the table (columns: work, arm, figures).
Result<ArmFigures> run_arms(const ClusterWork& work, Table& table);

// Ours, and ours with one addition beyond the paper switched off at a time, on each work. The load must be set.
Status run_additions(const std::vector<ClusterWork>& works, Report& report);

// Tool prompts on 8, 16, ... nodes up to the most; 30 requests a node, but 4,000 in all at most: every report of load
// goes to everyone, so that work grows with the square of the nodes.
Status run_scale(std::size_t most_nodes, std::uint64_t seed, Report& report);

}  // namespace planetserve::eval
