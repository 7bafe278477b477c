// The experiment `routing` (docs/evaluation.md): how much of what is cached the routing finds on a trace, against
// perfect knowledge.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_routing_experiment();

}  // namespace planetserve::eval
