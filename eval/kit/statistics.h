// What the experiments say of many numbers.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace planetserve::eval {

// Of nothing, each of these is not a number.
struct Distribution {
    std::size_t count = 0;
    double mean = 0;
    double p50 = 0;
    double p90 = 0;
    double p99 = 0;
    double max = 0;
};
Distribution distribution(std::vector<double> values);

// The q-quantile, interpolated between neighbours. REQUIRES: sorted.
double quantile(const std::vector<double>& sorted, double q);

// A figure and the interval that holds it with 95% confidence.
struct Estimate {
    double value = 0;
    double low = 0;
    double high = 0;
};

// mean(a) / mean(b) of pairs (a, b) measured alike, with a percentile bootstrap over the pairs.
Estimate ratio_of_means(const std::vector<std::pair<double, double>>& pairs, std::uint64_t seed,
                        std::size_t resamples = 10'000);

}  // namespace planetserve::eval
