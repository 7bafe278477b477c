#include "exchange/open_rate.h"

#include <algorithm>

namespace planetserve::exchange {

double OpenRate::tokens_at(const Bucket& bucket, Time now) const {
    return std::min(burst_, bucket.tokens + std::chrono::duration<double>(now - bucket.at).count() * per_second_);
}

bool OpenRate::take(const NodeId& neighbour, Time now) {
    Bucket& bucket = buckets_.try_emplace(neighbour, Bucket{burst_, now}).first->second;
    bucket = {tokens_at(bucket, now), now};
    if (bucket.tokens < 1) return false;
    bucket.tokens -= 1;
    return true;
}

void OpenRate::forget_full(Time now) {
    std::erase_if(buckets_, [&](const auto& item) { return tokens_at(item.second, now) >= burst_; });
}

}  // namespace planetserve::exchange
