// The verification of model nodes as a replicated state machine (docs/protocols/verification.md): verifiers'
// transactions in, reputations out.
//
// In each epoch verifiers draw a leader (epochs.h), the leader challenges model nodes (challenge_plan.h) and reports, a
// second verifier asks those that did not answer, all commit to scores and show them (votes.h), and the medians move
// the reputations (reputation.h). Challenges, answers and scoring are none of its business; it sees digests and scores.
//
// Like the registry, which it is to become a part of: pure and deterministic, block times are the only time, the same
// blocks give the same leaves on every machine. Whatever orders the blocks calls begin_block, apply for each
// transaction, and commit. Within a block the order of transactions of different verifiers makes no difference. Not
// thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>

#include "verification/epochs.h"
#include "verification/reputation.h"
#include "verification/schedule.h"
#include "verification/votes.h"

namespace planetserve::verification {

// The state as leaves of a Merkle tree: keys begin with "verification/", then "epoch", "parameters", or "ballot/",
// "node/", "verifier/" and 32 bytes of an id. Values are the messages of verification.proto.
using Leaves = std::map<Bytes, Bytes>;
// What a block changed; an empty value is a removal, also of a key that was not there before the block.
using Changes = std::map<Bytes, std::optional<Bytes>>;

struct Chain {
    std::string id;
    wire::NetworkId network;
    UnixTime genesis;
};

class State {
public:
    // REQUIRES: check(parameters). Throws std::invalid_argument otherwise.
    State(Chain chain, const std::vector<Verifier>& verifiers, const Parameters& parameters);

    // model_nodes: how many there are before this block. A time before the last block's is taken as the last block's.
    // Ends and begins epochs, and settles votes, as the time asks for; epochs without a block are left out.
    void begin_block(UnixTime time, std::uint64_t model_nodes);
    // What apply would say at a time, without changing anything: for admission before ordering. A transaction that
    // contradicts its sender's own is admitted, once, since it is what counts against the sender.
    Status check(const Transaction& transaction, UnixTime time) const;
    // A transaction that is refused changes nothing, with one exception: when a verifier says two different things,
    // both are void, nothing of it counts until the next epoch, and its equivocations go up by one.
    Status apply(const Transaction& transaction);
    // The same for a transaction as it was signed.
    Status apply(ByteView transaction);
    // Ends the block. The changes are what a store must keep.
    Changes commit();

    const Epoch& epoch() const { return epoch_; }
    const Ballots& ballots() const { return ballots_; }
    UnixTime time() const { return time_; }
    const Schedule& schedule() const { return schedule_; }
    const Parameters& parameters() const { return parameters_; }
    const VerifierSet& verifiers() const { return verifiers_; }
    // When the next phase begins, or the next epoch. Nothing happens then without a block.
    UnixTime next_due() const;

    Millionths reputation(const NodeId& node) const;
    bool trusted(const NodeId& node) const { return reputation(node) >= parameters_.trust; }
    // Of nodes that had a score, and not too long ago.
    const std::map<NodeId, Standing>& standings() const { return standings_; }
    VerifierRecord record(const NodeId& verifier) const;
    bool flagged(const NodeId& verifier) const { return record(verifier).flagged(parameters_); }

    // What a verifier proves, for this epoch.
    Bytes alpha(Purpose purpose) const;
    // The same for the draw of the epoch that a time is in, which may be a later one.
    Bytes draw_alpha(UnixTime time) const;

    const Leaves& leaves() const { return leaves_; }
    // Puts a state back, as of a time. Fails, and changes nothing, when it does not parse or is of other parameters.
    // Whether it is the right one is for the caller to see from the tree's root. REQUIRES: no block is open.
    Status restore(const Leaves& leaves, UnixTime time);

private:
    // What to do with a transaction that is not refused.
    enum class Verdict { take, equivocation };
    Result<Verdict> judge(const Transaction& transaction, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Draw& draw, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Report& report, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Recheck& recheck, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Commit& commit, UnixTime time) const;
    Result<Verdict> judge(const NodeId& sender, const Reveal& reveal, UnixTime time) const;
    Status check_sender(const Transaction& transaction) const;
    Status check_ahead(const Transaction& transaction, UnixTime time) const;
    Status require_phase(Phase phase, UnixTime time) const;
    void take(const NodeId& sender, const Draw& draw);
    void take(const NodeId& sender, const Report& report);
    void take(const NodeId& sender, const Recheck& recheck);
    void take(const NodeId& sender, const Commit& commit);
    void take(const NodeId& sender, const Reveal& reveal);
    void void_all_of(const NodeId& verifier);

    void settle_votes();
    void begin_epoch(std::uint64_t number);
    void forget_old();
    void set_standing(const NodeId& node, const Standing& standing);
    void set_record(const NodeId& verifier, const VerifierRecord& record);
    void put(Bytes key, Bytes value);
    void erase(Bytes key);

    Chain chain_;
    VerifierSet verifiers_;
    Parameters parameters_;
    Schedule schedule_;
    UnixTime time_;
    Epoch epoch_;
    Ballots ballots_;
    std::map<NodeId, Standing> standings_;
    std::set<std::pair<std::uint64_t, NodeId>> by_last_epoch_;  // of standings_
    std::map<NodeId, VerifierRecord> records_;
    Leaves leaves_;
    std::set<Bytes> changed_;
};

}  // namespace planetserve::verification
