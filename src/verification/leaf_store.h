// The leaves of the replicated state, and which of them the running block changed.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "base/bytes.h"

namespace planetserve::verification {

// The state as leaves of a Merkle tree: keys begin with "verification/", then "epoch", "parameters", or "ballot/",
// "node/", "verifier/" and 32 bytes of an id. Values are the messages of verification.proto.
using Leaves = std::map<Bytes, Bytes>;
// The changes of a block; an empty value is a removal, also of a key that was not there before the block.
using Changes = std::map<Bytes, std::optional<Bytes>>;

class LeafStore {
public:
    const Leaves& leaves() const { return leaves_; }
    void put(Bytes key, Bytes value);
    void erase(Bytes key);
    // Ends the block: what changed since the last call.
    Changes commit();
    // Takes leaves as they are, with nothing changed.
    void reset(const Leaves& leaves);

private:
    Leaves leaves_;
    std::set<Bytes> changed_;
};

}  // namespace planetserve::verification
