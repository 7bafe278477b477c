// Which transactions the running epoch accepts. Reads the state and changes nothing.
#pragma once

#include <string>

#include "verification/schedule.h"
#include "verification/votes.h"

namespace planetserve::verification {

// What never changes in the life of a chain.
struct Chain {
    std::string id;
    wire::NetworkId network;
    UnixTime genesis;
};

// What the rules look at. All of it outlives the view.
struct EpochView {
    const Chain& chain;
    const VerifierSet& verifiers;
    const Parameters& parameters;
    const Schedule& schedule;
    const Epoch& epoch;
    const Ballots& ballots;

    // What a verifier proves in the running epoch.
    Bytes alpha(Purpose purpose) const;
    // The same for the draw of the epoch that a time is in, which may be the next one.
    Bytes draw_alpha(UnixTime time) const;
};

// Of a transaction that is not refused. Equivocation: the sender contradicts an earlier transaction of its own.
enum class Verdict { accept, equivocation };

class TransactionRules {
public:
    explicit TransactionRules(const EpochView& view) : view_(view) {}

    // For a time in the running epoch.
    Result<Verdict> judge(const Transaction& transaction, UnixTime time) const;
    // For a time after the running epoch: no block of the new epoch exists so far, perhaps because there was nothing to
    // put into one. Only a draw is accepted then, and causes the block.
    Status check_ahead(const Transaction& transaction, UnixTime time) const;

private:
    Result<Verdict> judge(const NodeId& sender, const Draw& draw, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Report& report, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Recheck& recheck, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Commit& commit, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Reveal& reveal, UnixTime time) const;
    Status check_sender(const Transaction& transaction) const;
    Status require_phase(Phase phase, UnixTime time) const;

    EpochView view_;
};

}  // namespace planetserve::verification
