// `scale`: what grows how with the network: the list and the registry, paths, what model nodes tell each other, memory,
// and the simulator itself.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_scale_experiment();

}  // namespace planetserve::eval
