// A model node's reputation, in fixed point.
//
//     R(T) = alpha R(T-1) + beta C(T)                                            while abnormal scores are few
//     R(T) = alpha R(T-1) + min(beta, (W+1) / (W + c/gamma + 2)) C(T)            when c / W reaches gamma
//
// C is the epoch's credit. c counts the abnormal scores (below tau) among the last W, this one included, so c is at
// most W. Everything is in whole millionths. Each of the two products is rounded once, half upwards; R stays within 0
// and 1. Rounding adds at most a millionth a step, and that error shrinks by alpha with every later step.
//
// The paper (PlanetServe, NSDI '26, section on verification) punishes when c / W exceeds gamma. With its W = 5 and
// gamma = 1/5 a node could cheat in one epoch of five for ever; hence "reaches".
#pragma once

#include "base/ids.h"
#include "verification/parameters.h"

namespace planetserve::verification {

struct Standing {
    Millionths reputation = 0;
    std::uint32_t abnormal = 0;  // a bit for each of the last W scores, the latest lowest
    std::uint64_t scores = 0;    // ever
    std::uint64_t last_epoch = 0;
    bool operator==(const Standing&) const = default;
};

// The standing of a node without a score.
Standing initial_standing(const Parameters& parameters);
// The standing after a credit of an epoch.
// Requires: credit <= one, check(parameters).
Standing after_score(const Standing& standing, Millionths credit, std::uint64_t epoch, const Parameters& parameters);

Bytes encode_standing(const NodeId& node, const Standing& standing);
Result<std::pair<NodeId, Standing>> parse_standing(ByteView bytes);

}  // namespace planetserve::verification
