// A limit on how often something may happen: on average, and at once.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace planetserve {

struct TokenRate {
    double per_second = 0;  // on average
    double burst = 0;       // at once
};

// Full at first. Copies are of this moment.
class TokenBucket {
public:
    // Takes one token; false where there is none.
    [[nodiscard]] bool take(const TokenRate& rate, Time now) {
        spent_ = spent_at(rate, now);
        counted_at_ = now;
        if (spent_ + 1 > rate.burst) return false;
        spent_ += 1;
        return true;
    }

    // As if it had never been used, so its owner may forget it.
    bool full(const TokenRate& rate, Time now) const { return spent_at(rate, now) <= 0; }

private:
    double spent_at(const TokenRate& rate, Time now) const {
        return std::max(0.0, spent_ - rate.per_second * to_seconds(now - counted_at_));
    }

    double spent_ = 0;
    Time counted_at_{};
};

}  // namespace planetserve
