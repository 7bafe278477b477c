// The experiments on routing: `routing`, `ablation` and `hash-width` (docs/evaluation.md).
#pragma once

#include <memory>

#include "eval/experiment.h"

namespace planetserve::eval {

// How much of what is cached the routing finds, against perfect knowledge, on a trace.
std::unique_ptr<Experiment> make_routing_experiment();
// Round-robin, the tree, the tree and load balancing, and ours; each addition off in turn; 8 to 1,024 nodes.
std::unique_ptr<Experiment> make_ablation_experiment();
// Matches that are too deep, by width of the hash and length of the chunk.
std::unique_ptr<Experiment> make_hash_width_experiment();

}  // namespace planetserve::eval
