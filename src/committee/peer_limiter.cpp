#include "committee/peer_limiter.h"

#include <algorithm>

namespace planetserve::committee {

namespace {

constexpr std::int64_t whole = 1000;
constexpr auto sweep_every = std::chrono::milliseconds(1000);

}  // namespace

bool PeerLimiter::take(const NodeId& peer, UnixTime now) {
    auto found = buckets_.find(peer);
    if (found == buckets_.end()) {
        if (buckets_.size() >= limits_.peers) sweep(now);
        if (buckets_.size() >= limits_.peers) return false;
        found = buckets_.emplace(peer, Bucket{limits_.burst * whole, now}).first;
    }
    Bucket& bucket = found->second;
    bucket = {level(bucket, now), now};
    if (bucket.thousandths < whole) return false;
    bucket.thousandths -= whole;
    return true;
}

std::int64_t PeerLimiter::level(const Bucket& bucket, UnixTime now) const {
    // An hour fills any bucket, and keeps a clock that was set from overflowing.
    std::int64_t elapsed = std::clamp<std::int64_t>((now - bucket.filled).count(), 0, 3'600'000);
    return std::min(limits_.burst * whole, bucket.thousandths + elapsed * limits_.per_second);
}

// Forgets peers whose bucket is full again: they are as if never seen.
void PeerLimiter::sweep(UnixTime now) {
    if (now - swept_ < sweep_every && now >= swept_) return;
    swept_ = now;
    std::erase_if(buckets_, [&](const auto& item) { return level(item.second, now) == limits_.burst * whole; });
}

}  // namespace planetserve::committee
