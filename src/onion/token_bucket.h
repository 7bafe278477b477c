// A limit on how often something may happen: on average, and at once.
#pragma once

#include <algorithm>

#include "base/time.h"

namespace planetserve::onion {

struct TokenRate {
    double per_second = 0;  // on average
    double burst = 0;       // at once
};

// Full at first. Copies are of this moment.
class TokenBucket {
public:
    // Takes one token; false where there is none.
    [[nodiscard]] bool take(const TokenRate& rate, Time now) {
        spent_ = std::max(0.0, spent_ - rate.per_second * to_seconds(now - counted_at_));
        counted_at_ = now;
        if (spent_ + 1 > rate.burst) return false;
        spent_ += 1;
        return true;
    }

private:
    double spent_ = 0;
    Time counted_at_{};
};

}  // namespace planetserve::onion
