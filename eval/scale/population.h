// Many whole user nodes and a few model nodes in virtual time: each keeps its paths up, relays for the others, and asks
// now and then. For what a node costs, and what simulating one does.
#pragma once

#include <cstdint>
#include <functional>

#include "base/time.h"

namespace planetserve::eval {

struct PopulationShape {
    std::size_t users = 1000;
    std::size_t models = 8;
    Duration warm_up = 1min;  // in which all come, one after the other
    Duration measured = 8min;
    double requests_an_hour = 6;  // of each user
};

// Of the measured time but for what says otherwise.
struct PopulationCost {
    double cpu_seconds = 0;
    double warm_up_cpu_seconds = 0;
    std::size_t memory_bytes = 0;  // in use at the end, less what was before the nodes were made
    std::uint64_t events = 0;
    std::uint64_t frames = 0;
    std::uint64_t frame_bytes = 0;
    std::uint64_t setups = 0;  // at relays: three a path
    std::uint64_t requests = 0;
    std::uint64_t answered = 0;
    std::size_t paths_up = 0;            // at the end
    std::size_t relayed_paths_most = 0;  // of one relay at the end
};

PopulationCost run_population(const PopulationShape& shape, std::uint64_t seed,
                              const std::function<void(double)>& progress);

}  // namespace planetserve::eval
