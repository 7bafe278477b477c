// Which model nodes the leader of an epoch challenges, and with what.
//
// The plan follows from a VRF output that only the leader can compute and that it shows with its report. So nobody else
// knows the plan beforehand, the leader can choose nothing, and everybody can check the plan afterwards. Whether a node
// is challenged depends only on its id and the number of model nodes, so the state keeps no list of them.
#pragma once

#include "base/ids.h"
#include "crypto/hash.h"
#include "crypto/vrf.h"
#include "verification/parameters.h"

namespace planetserve::verification {

using PromptSeed = FixedBytes<struct PromptSeedTag, 32>;

struct ChallengePlan {
    crypto::VrfOutput output;      // the leader's
    std::uint64_t population = 0;  // model nodes when the draw phase ended
    std::uint32_t nodes = 0;       // challenged on average; all if there are no more
    std::uint32_t challenges = 0;  // to each node

    bool challenged(const NodeId& node) const;
    // The seed of the prompt and of the request's nonce.
    // Requires: index < challenges.
    PromptSeed prompt_seed(const NodeId& node, std::uint32_t index) const;
};

}  // namespace planetserve::verification
