// Limits the calls of each peer: a token bucket a peer, in a table of bounded size. Pure. Not thread-safe.
#pragma once

#include <unordered_map>

#include "base/ids.h"
#include "base/time.h"

namespace planetserve::committee {

struct PeerLimits {
    std::int64_t burst = 128;      // calls at once; the largest list has 64 parts of 1 MiB
    std::int64_t per_second = 32;  // calls
    std::size_t peers = 65'536;    // in the table; bounds its memory
};

class PeerLimiter {
public:
    explicit PeerLimiter(PeerLimits limits) : limits_(limits) {}

    // Takes one of the peer's tokens. False if it has none left, or if the table is full of peers with used tokens.
    bool take(const NodeId& peer, UnixTime now);
    std::size_t peers() const { return buckets_.size(); }

private:
    // In thousandths of a token, so that a millisecond's share is a whole number.
    struct Bucket {
        std::int64_t thousandths = 0;
        UnixTime filled;
    };

    std::int64_t level(const Bucket& bucket, UnixTime now) const;
    void sweep(UnixTime now);

    PeerLimits limits_;
    std::unordered_map<NodeId, Bucket, IdHash> buckets_;
    UnixTime swept_;
};

}  // namespace planetserve::committee
