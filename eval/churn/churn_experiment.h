// `churn`: what nodes that come and go cost: how many requests are answered, and how soon broken paths are replaced.
#pragma once

#include <memory>

#include "eval/kit/experiment.h"

namespace planetserve::eval {

std::unique_ptr<Experiment> make_churn_experiment();

}  // namespace planetserve::eval
