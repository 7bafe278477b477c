// The registry: the replicated state machine of user and model nodes (docs/protocols/registry.md).
//
// Transactions in, state and its hash out. Pure and deterministic: the block's time is the only time, nothing is
// unordered, and the same blocks give the same hash on every machine. The consensus engine calls begin_block, apply for
// each transaction, and commit. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "committee/entry_table.h"
#include "committee/genesis.h"
#include "committee/registry_transaction.h"
#include "crypto/merkle.h"

namespace planetserve::committee {

class Registry {
public:
    explicit Registry(const Genesis& genesis);

    // A time before the last block's counts as the last block's. Leases do not run while there are no blocks: if more
    // than renew_ms lie between two blocks, every lease gets that time back, because nobody could renew. So a live
    // chain with nodes makes blocks more often than that (next_due).
    // Requires: height is above the last block's.
    void begin_block(std::int64_t height, UnixTime time);
    // What apply would return now, without changing anything: for admission before ordering.
    Status check(const Transaction& transaction, UnixTime time) const;
    // A refused transaction changes nothing. Transactions from parse_transaction need no other check.
    Status apply(const Transaction& transaction);
    // The same for a signed transaction.
    Status apply(ByteView transaction);
    // Ends the block: expires leases, computes the hash. A store must keep the changes.
    Changes commit();

    std::int64_t height() const { return height_; }
    UnixTime time() const { return time_; }
    const crypto::Digest& app_hash() const { return app_hash_; }
    const std::map<NodeId, Entry>& entries() const { return table_.entries(); }
    // Entries with a descriptor.
    std::size_t nodes() const { return table_.nodes(); }
    // Null if the genesis has no verification.
    const verification::State* verification() const { return verification_ ? &*verification_ : nullptr; }
    // When a block is due even without transactions: for a lease to expire, a phase of verification, or as a sign of
    // life.
    std::optional<UnixTime> next_due() const;

    // The whole state, as a store keeps it.
    Values values() const;
    // The whole state, for nodes that fetch it or join. Its hash follows from it (parse_state).
    Bytes serialise() const;
    // Proof of a node's entry under app_hash(); nothing if the node has no entry.
    // Requires: no block is open.
    std::optional<EntryProof> prove(const NodeId& id) const;
    // Restore a state as of a height and time, from a store's values or from serialise(). Fail, and change nothing,
    // when it does not parse. The caller checks app_hash().
    Status restore(const Values& values, std::int64_t height, UnixTime time);
    Status restore(ByteView serialised, std::int64_t height, UnixTime time);

private:
    Status check_room(const Register& reg, const Entry* known) const;
    // The entry of a node that left, or whose lease expired: only its sequence counts.
    Entry left(Entry entry) const;
    std::vector<crypto::Digest> leaf_hashes() const;

    Parameters parameters_;
    wire::NetworkId network_;
    std::int64_t height_ = 0;
    UnixTime time_;
    EntryTable table_;
    crypto::Digest app_hash_{};
    std::optional<verification::State> verification_;
    VerificationHashes verification_hashes_;
};

}  // namespace planetserve::committee
