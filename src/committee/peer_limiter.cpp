#include "committee/peer_limiter.h"

namespace planetserve::committee {

namespace {

constexpr Duration sweep_every = 1s;

}  // namespace

bool PeerLimiter::take(const NodeId& peer, Time now) {
    auto found = buckets_.find(peer);
    if (found == buckets_.end()) {
        if (buckets_.size() >= limits_.peers) sweep(now);
        if (buckets_.size() >= limits_.peers) return false;
        found = buckets_.try_emplace(peer).first;
    }
    return found->second.take(limits_.calls, now);
}

// Forgets peers whose bucket is full again: they are as if never seen.
void PeerLimiter::sweep(Time now) {
    if (now < next_sweep_) return;
    next_sweep_ = now + sweep_every;
    std::erase_if(buckets_, [&](const auto& item) { return item.second.full(limits_.calls, now); });
}

}  // namespace planetserve::committee
