// What the chain holds about the verification of model nodes, as a replicated state machine
// (docs/protocols/verification.md): transactions of verification nodes in, reputations out.
//
// In each epoch the verifiers draw a leader (epochs.h), the leader challenges model nodes (challenge_plan.h) and
// reports, a second verifier challenges those that gave no answer, all commit to scores and reveal them (votes.h), and
// the medians move the reputations (reputation.h). The state sees digests and scores; challenges, answers and scoring
// are the agent's part (src/verification_agent).
//
// Part of the registry's state (committee/registry.h). Pure and deterministic: block times are the only time, and the
// same blocks give the same leaves on every machine. The registry calls begin_block, apply for each transaction, and
// commit. Within a block the order of transactions of different verifiers makes no difference. Not thread-safe.
#pragma once

#include <map>

#include "verification/leaf_store.h"
#include "verification/standings.h"
#include "verification/transaction_rules.h"

namespace planetserve::verification {

class State {
public:
    // Throws std::invalid_argument unless check(parameters).
    State(Chain chain, const std::vector<Verifier>& verifiers, const Parameters& parameters);

    // model_nodes: how many there are before this block. A time before the last block's counts as the last block's.
    // Ends and begins epochs, and settles votes, as the time requires. Epochs without a block are skipped.
    void begin_block(UnixTime time, std::uint64_t model_nodes);
    // What apply would return at a time, without changing anything: for admission before ordering. A transaction that
    // contradicts its sender's own is admitted once, because it counts against the sender.
    Status check(const Transaction& transaction, UnixTime time) const;
    // A refused transaction changes nothing, with one exception: when a verifier sends two that contradict each other,
    // both are void, nothing of the verifier counts until the next epoch, and its equivocations go up by one.
    Status apply(const Transaction& transaction);
    // The same for a signed transaction.
    Status apply(ByteView transaction);
    // Ends the block. A store must keep the changes.
    Changes commit() { return leaves_.commit(); }

    const Epoch& epoch() const { return epoch_; }
    const Ballots& ballots() const { return ballots_; }
    UnixTime time() const { return time_; }
    const Schedule& schedule() const { return schedule_; }
    const Parameters& parameters() const { return parameters_; }
    const VerifierSet& verifiers() const { return verifiers_; }
    // When the next phase or epoch begins. It does so only with a block.
    UnixTime next_due() const;

    Millionths reputation(const NodeId& node) const;
    bool trusted(const NodeId& node) const { return reputation(node) >= parameters_.trust; }
    // Of nodes with a score in the last forget_epochs.
    const std::map<NodeId, Standing>& standings() const { return standings_.all(); }
    VerifierRecord record(const NodeId& verifier) const;
    bool flagged(const NodeId& verifier) const { return record(verifier).flagged(parameters_); }

    // What a verifier proves in the running epoch.
    Bytes alpha(Purpose purpose) const { return view().alpha(purpose); }
    // The same for the draw of the epoch that a time is in, which may be the next one.
    Bytes draw_alpha(UnixTime time) const { return view().draw_alpha(std::max(time, time_)); }

    const Leaves& leaves() const { return leaves_.leaves(); }
    // Restores a state as of a time. Fails, and changes nothing, when it does not parse or has other parameters. The
    // caller checks the root of the tree.
    // Requires: no block is open.
    Status restore(const Leaves& leaves, UnixTime time);

private:
    EpochView view() const { return {chain_, verifiers_, parameters_, schedule_, epoch_, ballots_}; }
    void accept(const Transaction& transaction);
    void void_all_of(const NodeId& verifier);
    void settle_votes();
    void begin_epoch(std::uint64_t number);
    void set_record(const NodeId& verifier, const VerifierRecord& record);
    void store_epoch();
    void store_ballot(const NodeId& verifier);
    Status restore_leaf(const Bytes& key, const Bytes& value);

    Chain chain_;
    VerifierSet verifiers_;
    Parameters parameters_;
    Schedule schedule_;
    UnixTime time_;
    Epoch epoch_;
    Ballots ballots_;
    Standings standings_;
    std::map<NodeId, VerifierRecord> records_;
    LeafStore leaves_;
};

}  // namespace planetserve::verification
