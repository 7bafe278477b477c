// The binomial distribution, in logarithms so that nothing overflows.
#pragma once

#include <cmath>
#include <cstdint>

namespace planetserve::eval {

// The probability of m successes in `trials`, each with probability f. REQUIRES: m <= trials, 0 <= f <= 1.
inline double binomial_probability(std::uint32_t m, std::uint32_t trials, double f) {
    if (f <= 0) return m == 0 ? 1 : 0;
    if (f >= 1) return m == trials ? 1 : 0;
    double ways = std::lgamma(trials + 1.0) - std::lgamma(m + 1.0) - std::lgamma(trials - m + 1.0);
    return std::exp(ways + m * std::log(f) + (trials - m) * std::log1p(-f));
}

}  // namespace planetserve::eval
