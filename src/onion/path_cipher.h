// The layers of a path's cells at its builder: one key stream a relay, and the seal between user and proxy
// (docs/protocols/paths.md). Counts the cells of each direction, which are the nonces: every cell must go through.
#pragma once

#include <cstdint>
#include <vector>

#include "onion/cell.h"
#include "onion/setup.h"

namespace planetserve::onion {

class PathCipher {
public:
    // The keys of the hops, from the first to the proxy. Requires: there is one.
    explicit PathCipher(std::vector<HopKeys> keys);

    // Seals the next cell for the proxy, and adds every relay's layer.
    void seal(CellBody& body);
    // Removes every relay's layer from the next cell of the proxy, and opens it. False when it was changed, dropped,
    // repeated or moved on the way.
    [[nodiscard]] bool open(MutableByteView body);

private:
    std::vector<HopKeys> keys_;
    std::uint64_t forward_count_ = 0;
    std::uint64_t backward_count_ = 0;
};

}  // namespace planetserve::onion
