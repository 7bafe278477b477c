// A calibration for verifiers that have no honest runs of a node's class of engine at hand.
#pragma once

#include "base/random.h"
#include "scoring/credit.h"

namespace planetserve::scoring {

// Entropy and rank of an honest pool have known distributions, whatever the model: |z| of a standard normal, and
// Kolmogorov's statistic of `tokens` uniform numbers; both are drawn here. What noise another honest engine's margin
// has is not known beforehand: `margin_noise` is the largest that was measured of one (docs/evaluation.md,
// verification), and the runs spread evenly up to it.
Calibration null_calibration(Random& random, std::size_t tokens = 128, double margin_noise = 0.017);

}  // namespace planetserve::scoring
