// A node's entry in the registry's state: its encoding, its leaf in the Merkle tree, and proofs of it
// (docs/protocols/registry.md).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "base/time.h"
#include "committee/descriptor.h"
#include "committee/verification_part.h"
#include "crypto/hash.h"

namespace planetserve::committee {

// An entry without a descriptor only holds the last sequence of a node that left, so that nobody can replay its old
// transactions.
struct Entry {
    std::optional<NodeDescriptor> descriptor;
    SignedDescriptor signed_descriptor;  // what descriptor was parsed from; empty without it
    Load load;
    UnixTime expires;
    std::uint64_t sequence = 0;
    UnixTime updated;  // the block of its last transaction
    bool operator==(const Entry&) const = default;
};

Bytes encode_entry(const NodeId& id, const Entry& entry);
// Parses and checks, except for the descriptor's signature.
Result<std::pair<NodeId, Entry>> parse_entry(ByteView value);

// The leaf has the form of CometBFT's value proofs: the key and the SHA-256 of the value, each with its length before
// it, under RFC 6962's leaf prefix.
crypto::Digest entry_leaf(const NodeId& id, ByteView value);

// Proves that a value is in the state of an app hash, under its node's id.
struct EntryProof {
    Bytes value;
    std::size_t index = 0;
    std::size_t count = 0;  // of leaves
    std::vector<crypto::Digest> path;
};
[[nodiscard]] bool verify_entry(const NodeId& id, const EntryProof& proof, const crypto::Digest& app_hash);

struct ParsedState {
    std::map<NodeId, Entry> entries;
    std::optional<Reputations> reputations = std::nullopt;  // of a network that verifies its model nodes
    crypto::Digest app_hash{};
};
// Parses a serialised state and computes its hash. Does not check descriptors' signatures.
Result<ParsedState> parse_state(ByteView bytes);

}  // namespace planetserve::committee
