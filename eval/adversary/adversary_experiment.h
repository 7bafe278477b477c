// `adversary`: who sent a request, asked of what the nodes of a simulated network saw, beside the paper's formula.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_adversary_experiment();

}  // namespace planetserve::eval
