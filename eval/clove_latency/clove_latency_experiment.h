// `clove-latency`: what it costs to prepare cloves and to open them, for prompts and answers as long as real ones are.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_clove_latency_experiment();

}  // namespace planetserve::eval
