// `confidentiality`: the paper's attacks on one message (confidentiality.h), and the same with real cloves
// (clove_attack.h).
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_confidentiality_experiment();

}  // namespace planetserve::eval
