// Limits the calls of each peer: a token bucket a peer, in a table of bounded size. Pure. Not thread-safe.
#pragma once

#include "base/token_buckets.h"

namespace planetserve::committee {

struct PeerLimits {
    TokenRate calls{32, 128};    // the largest list has 64 parts of 1 MiB
    std::size_t peers = 65'536;  // in the table; bounds its memory
};

class PeerLimiter {
public:
    explicit PeerLimiter(PeerLimits limits) : most_peers_(limits.peers), buckets_(limits.calls) {}

    // Takes one of the peer's tokens. False if it has none left, or if the table is full of peers with used tokens.
    // The time is the monotonic one: a clock that is set back must not keep peers out until it is where it was.
    bool take(const NodeId& peer, Time now);
    std::size_t peers() const { return buckets_.size(); }

private:
    void sweep(Time now);

    std::size_t most_peers_;
    TokenBuckets buckets_;
    Time next_sweep_{};
};

}  // namespace planetserve::committee
