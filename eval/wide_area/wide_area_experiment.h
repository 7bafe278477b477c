// `wide-area`: how long paths and first tokens take where nodes are spread over the United States or the world, beside
// a direct connection and set-up by telescoping.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_wide_area_experiment();

}  // namespace planetserve::eval
