// `confidential`: what confidential computing costs. The same work goes to two endpoints in alternating rounds.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_confidential_experiment();

}  // namespace planetserve::eval
