// `verification`: real model nodes, honest and not, judged by a verifier with its own copy of the model.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_verification_experiment();

}  // namespace planetserve::eval
