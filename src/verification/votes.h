// The votes of an epoch: first each verifier commits to its scores, then all show them, so that none can copy
// another's. What counts of a node is the median, weighted by voting power, of the credits shown by verifiers with more
// than 2/3 of it.
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

// The smallest value such that it and those below it have at least half of the weight. REQUIRES: not empty, weights
// above 0, at most 2^60 in all.
Millionths weighted_median(std::vector<std::pair<Millionths, std::uint64_t>> values);

struct Settlement {
    std::map<NodeId, Millionths> credits;  // of nodes with a quorum; the others stay as they are
    std::map<NodeId, bool> far;  // by verifier that voted where there was a quorum: mostly far from the median
};
// A vote of no answer is a credit of 0 where two verifiers got none, and no vote elsewhere; inconclusive is no vote
// either.
Settlement settle(const Epoch& epoch, const Ballots& ballots, const VerifierSet& verifiers,
                  const Parameters& parameters);

Bytes encode_ballot(const NodeId& verifier, const Ballot& ballot);
Result<std::pair<NodeId, Ballot>> parse_ballot(ByteView bytes);

}  // namespace planetserve::verification
