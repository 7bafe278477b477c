// The votes of an epoch. First each verifier commits to its scores, then all reveal them, so that none can copy
// another's. A node's credit is the median of the revealed credits, weighted by voting power, if verifiers with more
// than 2/3 of the power revealed one.
//
// With less than a third of the power dishonest, honest verifiers have more than half of any such quorum, so the median
// lies between credits that honest verifiers gave.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "verification/epochs.h"

namespace planetserve::verification {

struct Ballot {
    crypto::Digest digest{};  // committed to
    bool revealed = false;
    std::vector<Score> scores;
    bool operator==(const Ballot&) const = default;
};
using Ballots = std::map<NodeId, Ballot>;  // by verifier

// The smallest value such that it and those below it have at least half of the weight.
// Requires: not empty, weights above 0, at most 2^60 in all.
Millionths weighted_median(std::vector<std::pair<Millionths, std::uint64_t>> values);

struct Settlement {
    std::map<NodeId, Millionths> credits;  // of nodes with a quorum; the others keep their reputation
    std::map<NodeId, bool> far;  // by verifier with votes on those nodes: whether most are far from the median
};
// "No answer" is a credit of 0 if both the leader and the second verifier got none, and no vote otherwise.
// "Inconclusive" is no vote.
Settlement settle(const Epoch& epoch, const Ballots& ballots, const VerifierSet& verifiers,
                  const Parameters& parameters);

Bytes encode_ballot(const NodeId& verifier, const Ballot& ballot);
Result<std::pair<NodeId, Ballot>> parse_ballot(ByteView bytes);

}  // namespace planetserve::verification
