// The verification of model nodes as a part of the registry's state: its leaves stand behind the entries in the same
// Merkle tree, so that one app hash proves both, and a list brings the reputations along (docs/protocols/registry.md).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "committee/genesis.h"
#include "verification/state.h"

namespace planetserve::committee {

// A leaf of the form of CometBFT's value proofs: the key and the SHA-256 of the value, each with its length before it.
// REQUIRES: a key of at most 127 bytes.
crypto::Digest state_leaf(ByteView key, ByteView value);

// Nothing where the genesis asks for no verification.
std::optional<verification::State> make_verification(const Genesis& genesis);

// Hashes of the state machine's leaves, kept up with its changes.
class VerificationHashes {
public:
    void apply(const verification::Changes& changes);
    void reset(const verification::Leaves& leaves);
    void append_to(std::vector<crypto::Digest>& hashes) const;

private:
    std::map<Bytes, crypto::Digest> hashes_;
};

// What a list says of the model nodes' standing.
struct Reputations {
    verification::Parameters parameters;
    std::map<NodeId, verification::Standing> standings;

    verification::Millionths of(const NodeId& node) const;
    bool trusted(const NodeId& node) const { return of(node) >= parameters.trust; }
    bool operator==(const Reputations&) const = default;
};
// Whether a model node gets requests. Where the network verifies nothing, every node does.
bool is_trusted(const std::optional<Reputations>& reputations, const NodeId& node);
// Of a state's leaves; nothing where there are none. malformed: leaves that do not parse.
Result<std::optional<Reputations>> read_reputations(const verification::Leaves& leaves);

}  // namespace planetserve::committee
