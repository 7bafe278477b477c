#include "committee/peer_limiter.h"

namespace planetserve::committee {

namespace {

constexpr Duration sweep_every = 1s;

}  // namespace

bool PeerLimiter::take(const NodeId& peer, Time now) {
    if (!buckets_.contains(peer)) {
        if (buckets_.size() >= most_peers_) sweep(now);
        if (buckets_.size() >= most_peers_) return false;
    }
    return buckets_.take(peer, now);
}

void PeerLimiter::sweep(Time now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + sweep_every;
    buckets_.forget_full(now);
}

}  // namespace planetserve::committee
