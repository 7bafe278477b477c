// Audits a committee's chain: replays it from the genesis and says what changed each reputation.
//
//     auto audit = Audit::begin(genesis);
//     for (each block from height 1 on) {
//         auto findings = audit->add(block, transactions, clock.unix_now());
//         if (!findings) return findings.error();      // the chain is not what its genesis leads to
//     }
//
// Each block must be signed by more than 2/3 of the power, and state the hash that the blocks before it lead to. So who
// serves the blocks need not be trusted. Pure; not thread-safe.
#pragma once

#include <map>
#include <vector>

#include "committee/registry.h"
#include "lightclient/light_client.h"

namespace planetserve::committee {

// What a verification node's revealed vote said of a model node.
struct AuditedVote {
    NodeId verifier;
    verification::Outcome outcome;
    verification::Millionths credit;

    bool operator==(const AuditedVote&) const = default;
};

// A block that changed a model node's reputation, and the votes that it settled.
struct ReputationChange {
    std::uint64_t epoch;  // in which the votes were cast
    NodeId node;
    verification::Millionths before;
    verification::Millionths after;
    bool trusted;  // afterwards
    std::vector<AuditedVote> votes;
};

// A block that proves that a verification node made two contradicting statements in one epoch.
struct EquivocationFound {
    std::uint64_t epoch;
    NodeId verifier;
};

struct BlockFindings {
    std::int64_t height = 0;
    std::vector<EquivocationFound> equivocations;
    std::vector<ReputationChange> changes;
};

class Audit {
public:
    // Fails where the genesis's validators are beyond the light client's limits.
    static Result<Audit> begin(const Genesis& genesis);

    // Checks the next block and applies its transactions; heights follow one another from 1.
    // authentication: the block is of another height or not signed by the committee, which changes nothing; or it
    // states another hash, and nothing can be added any more.
    Result<BlockFindings> add(const lightclient::LightBlock& block, const std::vector<Bytes>& transactions,
                              UnixTime now);

    // The state after the blocks so far.
    const Registry& registry() const { return registry_; }
    // The committee, by whose addresses a block's signatures are read.
    const lightclient::ValidatorSet& validators() const { return validators_; }

private:
    Audit(const Genesis& genesis, lightclient::ValidatorSet validators);
    void find_equivocations(BlockFindings& findings);
    void find_changes(const verification::Ballots& ballots, BlockFindings& findings);

    Registry registry_;
    lightclient::ValidatorSet validators_;
    lightclient::LightClient light_;
    std::map<NodeId, verification::Millionths> reputations_;
    std::map<NodeId, std::uint32_t> equivocations_;
};

}  // namespace planetserve::committee
