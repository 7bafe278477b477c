// The registry's entries with their leaves, and what the running block changed of them. Every change goes through put
// and erase, which keep leaves, expiries and counts in step.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "committee/entry.h"

namespace planetserve::committee {

// The changes of a block by key: a node's id, or a leaf of the verification state. An empty value is a removal.
using Changes = std::map<Bytes, std::optional<Bytes>>;
// A whole state by the same keys.
using Values = std::map<Bytes, Bytes>;

class EntryTable {
public:
    struct Leaf {
        Bytes value;
        crypto::Digest hash{};  // as of the last commit
    };

    const std::map<NodeId, Entry>& entries() const { return entries_; }
    const std::map<NodeId, Leaf>& leaves() const { return leaves_; }  // of the same ids
    // Null if the node has no entry.
    const Entry* find(const NodeId& id) const;
    // Entries with a descriptor, and those of model nodes among them.
    std::size_t nodes() const { return nodes_; }
    std::size_t model_nodes() const { return model_nodes_; }
    std::uint64_t bytes() const { return bytes_; }  // of all values
    // The entry that expires first.
    std::optional<std::pair<UnixTime, NodeId>> next_expiry() const;

    void put(const NodeId& id, Entry entry);
    // The same with the entry's encoding, where the caller has it.
    void put_encoded(const NodeId& id, Entry entry, Bytes value);
    // Requires: the node has an entry.
    void erase(const NodeId& id);
    // Ends the block: computes the hashes of the changed leaves.
    Changes commit();

private:
    void count(const Entry& entry, int change);

    std::map<NodeId, Entry> entries_;
    std::map<NodeId, Leaf> leaves_;
    std::set<std::pair<UnixTime, NodeId>> expiries_;
    std::set<NodeId> changed_;
    std::size_t nodes_ = 0;
    std::size_t model_nodes_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace planetserve::committee
