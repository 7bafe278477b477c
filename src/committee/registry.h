// The registry: the replicated state machine of user and model nodes (docs/protocols/registry.md).
//
// Transactions in, state and its hash out. Pure and deterministic: the block's time is the only time, nothing is
// unordered, and the same blocks give the same hash on every machine. Whatever orders the blocks (the embedded
// verifier, or a BFT engine) calls begin_block, apply for each transaction, and commit. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "committee/entry.h"
#include "committee/genesis.h"
#include "committee/registry_transaction.h"
#include "crypto/merkle.h"

namespace planetserve::committee {

// What a block changed, by key: a node's id, or one of verification's leaves. An empty value is a removal.
using Changes = std::map<Bytes, std::optional<Bytes>>;
// A whole state, by the same keys.
using Values = std::map<Bytes, Bytes>;

class Registry {
public:
    explicit Registry(const Genesis& genesis);

    // REQUIRES: heights rise. A time before the last block's is taken as the last block's. Leases do not run while
    // there are no blocks: where more than renew_ms lie between two of them, every lease gets that time back, since
    // nobody could renew. So a live chain with nodes in it makes blocks more often than that (next_due).
    void begin_block(std::int64_t height, UnixTime time);
    // What apply would say now, without changing anything: for admission before ordering.
    Status check(const Transaction& transaction, UnixTime time) const;
    // A transaction that is refused changes nothing. Those that parse_transaction made need no other check.
    Status apply(const Transaction& transaction);
    // The same for a transaction as it was signed.
    Status apply(ByteView transaction);
    // Ends the block: expires leases, computes the hash. The changes are what a store must keep.
    Changes commit();

    std::int64_t height() const { return height_; }
    UnixTime time() const { return time_; }
    const crypto::Digest& app_hash() const { return app_hash_; }
    const std::map<NodeId, Entry>& entries() const { return entries_; }
    // Entries with a descriptor.
    std::size_t nodes() const { return nodes_; }
    // Null where the genesis asks for none.
    const verification::State* verification() const { return verification_ ? &*verification_ : nullptr; }
    // When a block is due even without transactions: a lease to expire, or a sign that the chain lives.
    std::optional<UnixTime> next_due() const;

    // All of it, as a store keeps it.
    Values values() const;
    // The whole state, for those who fetch it or join; its hash follows from it (parse_state).
    Bytes serialise() const;
    // Proof of a node's entry under app_hash(); nothing for a node without one. REQUIRES: no block is open.
    std::optional<EntryProof> prove(const NodeId& id) const;
    // Put a state back, as of a height and time: from a store's entries, or from serialise(). Fail, and change nothing,
    // when it does not parse. Whether it is the right one is for the caller to see from app_hash().
    Status restore(const Values& values, std::int64_t height, UnixTime time);
    Status restore(ByteView serialised, std::int64_t height, UnixTime time);

private:
    struct Leaf {
        Bytes value;
        crypto::Digest hash{};
    };

    void put(const NodeId& id, Entry entry);
    void put_encoded(const NodeId& id, Entry entry, Bytes value);
    void erase(const NodeId& id);
    void count(const Entry& entry, int change);
    std::vector<crypto::Digest> leaf_hashes() const;

    Parameters parameters_;
    wire::NetworkId network_;
    std::int64_t height_ = 0;
    UnixTime time_;
    std::map<NodeId, Entry> entries_;
    std::map<NodeId, Leaf> leaves_;  // of the same ids
    std::set<std::pair<UnixTime, NodeId>> expiries_;
    std::set<NodeId> changed_;
    std::size_t nodes_ = 0;
    std::size_t model_nodes_ = 0;
    std::uint64_t bytes_ = 0;  // of all values
    crypto::Digest app_hash_{};
    std::optional<verification::State> verification_;
    VerificationHashes verification_hashes_;  // of its leaves
};

}  // namespace planetserve::committee
