// `workload`: drives any OpenAI-compatible endpoints with a workload and watches their metrics.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_workload_experiment();

}  // namespace planetserve::eval
