// The verification state as a part of the registry's state: its leaves follow the entries in the same Merkle tree. So
// one app hash proves both, and a list contains the reputations (docs/protocols/registry.md).
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "committee/genesis.h"
#include "verification/state.h"

namespace planetserve::committee {

// A leaf of the form of CometBFT's value proofs: the key and the SHA-256 of the value, each after its length.
// Requires: a key of at most 127 bytes.
crypto::Digest state_leaf(ByteView key, ByteView value);

// Nothing if the genesis has no verification.
std::optional<verification::State> make_verification(const Genesis& genesis);

// The hashes of the verification state's leaves, updated with its changes.
class VerificationHashes {
public:
    void apply(const verification::Changes& changes);
    void reset(const verification::Leaves& leaves);
    void append_to(std::vector<crypto::Digest>& hashes) const;

private:
    std::map<Bytes, crypto::Digest> hashes_;
};

// The reputations in a list.
struct Reputations {
    verification::Parameters parameters;
    std::map<NodeId, verification::Standing> standings;

    verification::Millionths of(const NodeId& node) const;
    bool trusted(const NodeId& node) const { return of(node) >= parameters.trust; }
    bool operator==(const Reputations&) const = default;
};
// Whether a model node gets requests. Where the network verifies nothing, every node does.
bool is_trusted(const std::optional<Reputations>& reputations, const NodeId& node);
// Reads them from a state's leaves; nothing if there are none. Error: malformed.
Result<std::optional<Reputations>> read_reputations(const verification::Leaves& leaves);

}  // namespace planetserve::committee
