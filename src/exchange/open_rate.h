// How often each neighbour may open exchanges, each of which costs a key agreement before anything can be checked: a
// token bucket a neighbour. Not thread-safe.
#pragma once

#include <map>

#include "base/ids.h"
#include "base/time.h"

namespace planetserve::exchange {

class OpenRate {
public:
    OpenRate(double per_second, double burst) : per_second_(per_second), burst_(burst) {}

    // One more of this neighbour's; false where it has had as many as it may.
    bool take(const NodeId& neighbour, Time now);
    // Forgets those whose bucket is full again.
    void forget_full(Time now);
    bool empty() const { return buckets_.empty(); }

private:
    struct Bucket {
        double tokens = 0;
        Time at{};
    };

    double tokens_at(const Bucket& bucket, Time now) const;

    double per_second_;
    double burst_;
    std::map<NodeId, Bucket> buckets_;
};

}  // namespace planetserve::exchange
