// `anonymity`: the paper's source anonymity against the share of malicious nodes (anonymity.h).
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_anonymity_experiment();

}  // namespace planetserve::eval
