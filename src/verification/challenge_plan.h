// Which model nodes an epoch's leader challenges, and with what.
//
// All of it follows from a VRF output that only the leader can compute and that it shows with its report: nobody else
// knows beforehand who will be challenged, the leader can choose nothing, and everybody can check afterwards. Whether a
// node is challenged depends on its id and the number of model nodes alone, so no list of them has to be kept.
#pragma once

#include "base/ids.h"
#include "crypto/hash.h"
#include "crypto/vrf.h"
#include "verification/parameters.h"

namespace planetserve::verification {

using PromptSeed = FixedBytes<struct PromptSeedTag, 32>;

struct ChallengePlan {
    crypto::VrfOutput output;      // the leader's
    std::uint64_t population = 0;  // model nodes when drawing ended
    std::uint32_t nodes = 0;       // to be challenged on average; all where there are no more
    std::uint32_t challenges = 0;  // of each

    bool challenged(const NodeId& node) const;
    // What the prompt, the request's nonce and its time within the turn are chosen from. REQUIRES: index < challenges.
    PromptSeed prompt_seed(const NodeId& node, std::uint32_t index) const;
};

}  // namespace planetserve::verification
