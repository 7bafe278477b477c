// The registry: the replicated state machine of user and model nodes (docs/protocols/registry.md).
//
// Transactions in, state and its hash out. Pure and deterministic: the block's time is the only time, nothing is
// unordered, and the same blocks give the same hash on every machine. Whatever orders the blocks (the embedded
// verifier, or a BFT engine) calls begin_block, apply for each transaction, and commit. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "committee/genesis.h"
#include "committee/merkle.h"
#include "committee/transaction.h"

namespace planetserve::committee {

// One node in the state. Without a descriptor it only remembers the last sequence of a node that left, so that its old
// transactions cannot be played again.
struct Entry {
    std::optional<NodeDescriptor> descriptor;
    Load load;
    UnixTime expires;
    std::uint64_t sequence = 0;
    bool operator==(const Entry&) const = default;
};

// What a block changed; an empty value is a removal.
using Changes = std::map<NodeId, std::optional<Bytes>>;

class Registry {
public:
    explicit Registry(const Genesis& genesis);

    // REQUIRES: heights rise by one; time does not go back.
    void begin_block(std::int64_t height, UnixTime time);
    // What apply would say now, without changing anything: for admission before ordering.
    Status check(const Transaction& transaction, UnixTime time) const;
    Status apply(const Transaction& transaction);
    // Ends the block: expires leases, computes the hash. The changes are what a store must keep.
    Changes commit();

    std::int64_t height() const { return height_; }
    UnixTime time() const { return time_; }
    const crypto::Digest& app_hash() const { return app_hash_; }
    const std::map<NodeId, Entry>& entries() const { return entries_; }
    // The earliest lease to expire: a block is due by then even without transactions.
    std::optional<UnixTime> next_expiry() const;

    // The whole state, for those who fetch it; its hash can be recomputed from it (state_hash).
    Bytes serialise() const;
    // Puts stored entries back, as of a height and time. Fails when they do not parse.
    Status restore(const std::map<NodeId, Bytes>& values, std::int64_t height, UnixTime time);

private:
    void put(const NodeId& id, Entry entry);
    void erase(const NodeId& id);

    Parameters parameters_;
    wire::NetworkId network_;
    std::int64_t height_ = 0;
    UnixTime time_;
    std::map<NodeId, Entry> entries_;
    std::map<NodeId, crypto::Digest> leaves_;
    std::set<std::pair<UnixTime, NodeId>> expiries_;
    std::set<NodeId> changed_;
    std::size_t nodes_ = 0;  // entries with a descriptor
    crypto::Digest app_hash_{};
};

Bytes encode_entry(const NodeId& id, const Entry& entry);

struct ParsedState {
    std::map<NodeId, Entry> entries;
    crypto::Digest app_hash{};
};
// Parses a serialised state and computes its hash.
Result<ParsedState> parse_state(ByteView bytes);

}  // namespace planetserve::committee
