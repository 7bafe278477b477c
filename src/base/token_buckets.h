// The same limit for each of many: how often each neighbour, say, may have something happen.
#pragma once

#include <unordered_map>

#include "base/ids.h"
#include "base/token_bucket.h"

namespace planetserve {

// A bucket for each node that took a token lately. Not thread-safe.
class TokenBuckets {
public:
    explicit TokenBuckets(TokenRate rate) : rate_(rate) {}

    // Takes one of the node's tokens; false where it has none left.
    [[nodiscard]] bool take(const NodeId& node, Time now) { return buckets_[node].take(rate_, now); }
    // Forgets nodes whose bucket is full again: they are as if never seen.
    void forget_full(Time now) {
        std::erase_if(buckets_, [&](const auto& item) { return item.second.full(rate_, now); });
    }
    bool contains(const NodeId& node) const { return buckets_.contains(node); }
    bool empty() const { return buckets_.empty(); }
    std::size_t size() const { return buckets_.size(); }

private:
    TokenRate rate_;
    std::unordered_map<NodeId, TokenBucket, IdHash> buckets_;
};

}  // namespace planetserve
