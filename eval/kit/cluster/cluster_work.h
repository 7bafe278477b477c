// Work for simulated model nodes, with the engines it is for.
#pragma once

#include "base/result.h"
#include "simulator/routing_cluster.h"

namespace planetserve::eval {

struct ClusterWork {
    std::string name;
    simulator::Workload requests{};
    simulator::ClusterOptions cluster{};
    // Keep the requests' own times, made faster or slower; else arrivals are a Poisson process.
    bool own_times = false;
};

// The first so many requests (0: all) of a trace's file, of the default trace when it is empty, for large engines.
Result<ClusterWork> trace_work(const std::string& file, std::size_t most);

// Sets arrivals to that share of what the cluster's engines serve behind round-robin.
Status set_load(ClusterWork& work, double load, Random& random);

}  // namespace planetserve::eval
