#include "eval/kit/statistics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/random.h"

namespace planetserve::eval {

namespace {

constexpr double not_a_number = std::numeric_limits<double>::quiet_NaN();

}  // namespace

double quantile(const std::vector<double>& sorted, double q) {
    if (sorted.empty()) return not_a_number;
    double at = q * static_cast<double>(sorted.size() - 1);
    auto below = static_cast<std::size_t>(at);
    std::size_t above = std::min(below + 1, sorted.size() - 1);
    return sorted[below] + (sorted[above] - sorted[below]) * (at - static_cast<double>(below));
}

Distribution distribution(std::vector<double> values) {
    if (values.empty()) return {0, not_a_number, not_a_number, not_a_number, not_a_number, not_a_number};
    std::ranges::sort(values);
    double sum = std::accumulate(values.begin(), values.end(), 0.0);
    return {values.size(),          sum / static_cast<double>(values.size()),
            quantile(values, 0.5),  quantile(values, 0.9),
            quantile(values, 0.99), values.back()};
}

Estimate ratio_of_means(const std::vector<std::pair<double, double>>& pairs, std::uint64_t seed,
                        std::size_t resamples) {
    if (pairs.empty() || resamples == 0) return {not_a_number, not_a_number, not_a_number};
    double above = 0;
    double below = 0;
    for (auto [a, b] : pairs) {
        above += a;
        below += b;
    }
    SeededRandom random(seed);
    std::vector<double> ratios;
    ratios.reserve(resamples);
    for (std::size_t i = 0; i < resamples; ++i) {
        double a = 0;
        double b = 0;
        for (std::size_t n = 0; n < pairs.size(); ++n) {
            const auto& pair = pairs[random.below(pairs.size())];
            a += pair.first;
            b += pair.second;
        }
        ratios.push_back(a / b);
    }
    std::ranges::sort(ratios);
    return {above / below, quantile(ratios, 0.025), quantile(ratios, 0.975)};
}

}  // namespace planetserve::eval
