// The experiment `ablation` (docs/evaluation.md): round-robin, the tree, the tree and load balancing, and ours; each
// addition off in turn; 8 to 1,024 nodes.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_ablation_experiment();

}  // namespace planetserve::eval
