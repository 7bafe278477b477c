// What the experiments on routing say of one simulated run.
#pragma once

#include "eval/kit/progress.h"
#include "eval/kit/statistics.h"
#include "eval/kit/table.h"
#include "simulator/routing_cluster.h"

namespace planetserve::eval {

struct ClusterFigures {
    Distribution latency;      // seconds from the entry node's receipt to the last token
    Distribution first_token;  // seconds, from the same moment
    Distribution token;        // seconds a token after the first
    // Of all requests' prompt tokens, those that engines found in their caches.
    double hit_share = 0;
    double cached_tokens = 0;
    // Busiest node over mean: requests that run or wait there, on average over time; requests in all.
    double queue_spread = 0;
    double request_spread = 0;
    double mean_queue = 0;
    // Of requests: the chosen node was thought to hold more than it ever had; more than it had at this moment.
    double wrong_share = 0;
    double stale_share = 0;
    // Of the longest prefix that any node held when a request came, summed over requests: what the tree knew.
    double known_share = 0;
    // To all peers together, a node and second.
    double sync_bytes = 0;
};

// Times are of the requests after the first tenth, in which caches fill; shares and loads are of all.
ClusterFigures figures_of(const simulator::ClusterResult& result, std::size_t nodes);

// Runs it under a bar that says what runs.
Result<ClusterFigures> run_with_progress(const std::string& label, const simulator::Workload& workload,
                                         simulator::ClusterOptions options);

// A row of figures after the given cells, and the columns' names.
std::vector<std::string> figure_columns(std::vector<std::string> first);
std::vector<Cell> figure_row(std::vector<Cell> first, const ClusterFigures& figures);

}  // namespace planetserve::eval
