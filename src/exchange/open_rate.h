// How often each neighbour may open exchanges, each of which costs a key agreement before anything can be checked: a
// token bucket a neighbour. Not thread-safe.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/token_bucket.h"

namespace planetserve::exchange {

class OpenRate {
public:
    explicit OpenRate(TokenRate rate) : rate_(rate) {}

    // One more of this neighbour's; false where it has had as many as it may.
    [[nodiscard]] bool take(const NodeId& neighbour, Time now) { return buckets_[neighbour].take(rate_, now); }
    // Forgets those whose bucket is full again.
    void forget_full(Time now) {
        std::erase_if(buckets_, [&](const auto& item) { return item.second.full(rate_, now); });
    }
    bool empty() const { return buckets_.empty(); }

private:
    TokenRate rate_;
    std::map<NodeId, TokenBucket> buckets_;
};

}  // namespace planetserve::exchange
