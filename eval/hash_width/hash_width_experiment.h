// The experiment `hash-width` (docs/evaluation.md): matches that are too deep, by width of the hash and length of the
// chunk.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_hash_width_experiment();

}  // namespace planetserve::eval
