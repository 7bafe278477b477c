#include "scoring/credit.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace planetserve::scoring {

namespace {

// That a standard normal is further from 0 than this, on either side; of a negative one, 2 less that.
double two_sided(double z) { return std::erfc(z / std::numbers::sqrt2); }

// Of Kolmogorov's distribution: that sqrt(n) sup |F_n - F| is at least this, for large n.
double kolmogorov_tail(double value) {
    if (value < 0.2) return 1;  // where the series converges slowly; 1 to twelve digits
    double sum = 0;
    for (int k = 1; k <= 100; ++k) {
        double term = std::exp(-2.0 * k * k * value * value);
        sum += k % 2 == 1 ? term : -term;
    }
    return std::clamp(2 * sum, 0.0, 1.0);
}

}  // namespace

std::string_view to_string(Measure measure) {
    switch (measure) {
        case Measure::margin:
            return "margin";
        case Measure::entropy:
            return "entropy";
        case Measure::rank:
            return "rank";
    }
    return "unknown";
}

std::string_view to_string(Grounds grounds) {
    switch (grounds) {
        case Grounds::inconclusive:
            return "inconclusive";
        case Grounds::structure:
            return "structure";
        case Grounds::replay:
            return "replay";
        case Grounds::tests:
            return "tests";
    }
    return "unknown";
}

double statistic(const Statistics& statistics, Measure measure) {
    switch (measure) {
        case Measure::margin:
            return statistics.margin;
        case Measure::entropy:
            return std::abs(statistics.entropy_z);
        case Measure::rank:
            return statistics.kolmogorov_smirnov;
    }
    return 0;
}

Result<Calibration> Calibration::make(const std::vector<Statistics>& honest) {
    if (honest.size() < least_runs)
        return fail(ErrorCode::invalid_argument, "a calibration needs " + std::to_string(least_runs) +
                                                     " honest runs, not " + std::to_string(honest.size()));
    Calibration calibration;
    calibration.sorted_.emplace();
    for (Measure measure : all_measures) {
        auto& sorted = (*calibration.sorted_)[std::to_underlying(measure)];
        sorted.reserve(honest.size());
        for (const Statistics& run : honest) sorted.push_back(statistic(run, measure));
        if (!std::ranges::all_of(sorted, [](double value) { return std::isfinite(value); }))
            return fail(ErrorCode::invalid_argument, "a calibration has figures that are not finite");
        std::ranges::sort(sorted);
    }
    return calibration;
}

Calibration Calibration::known(const MarginNoise& noise) {
    Calibration calibration;
    calibration.noise_ = noise;
    return calibration;
}

double Calibration::p_value(Measure measure, double value, std::size_t tokens) const {
    if (!std::isfinite(value)) value = std::numeric_limits<double>::max();
    if (sorted_) {
        const auto& sorted = (*sorted_)[std::to_underlying(measure)];
        auto at_least = sorted.end() - std::ranges::lower_bound(sorted, value);
        return (1.0 + static_cast<double>(at_least)) / (static_cast<double>(sorted.size()) + 1);
    }
    switch (measure) {
        case Measure::margin:
            return 0.5 * two_sided((value - noise_.mean) / noise_.deviation * std::sqrt(static_cast<double>(tokens)));
        case Measure::entropy:
            return two_sided(value);
        case Measure::rank:
            return kolmogorov_tail(value);
    }
    return 1;
}

Credit credit_of(const Statistics& pooled, const Calibration& calibration, const CreditRules& rules) {
    Credit credit;
    if (pooled.unsound > 0) {
        credit.grounds = Grounds::structure;
        return credit;
    }
    if (pooled.tokens < rules.least_tokens) return credit;
    if (rules.seed_bound && pooled.mismatches == 0) {
        credit.grounds = Grounds::replay;
        credit.value = 1;
        return credit;
    }
    credit.grounds = Grounds::tests;
    double least = 1;
    double applied = 0;
    for (Measure measure : all_measures) {
        if (measure == Measure::margin ? !rules.seed_bound : pooled.drawn == 0) continue;
        double p = calibration.p_value(measure, statistic(pooled, measure), pooled.tokens);
        credit.p_values[std::to_underlying(measure)] = p;
        least = std::min(least, p);
        ++applied;
    }
    credit.value = std::min(1.0, applied * least / calibration.significance());
    return credit;
}

std::uint32_t millionths(double credit) {
    constexpr double one = 1e6;
    if (!(credit > 0)) return 0;
    return static_cast<std::uint32_t>(std::lround(std::min(credit, 1.0) * one));
}

}  // namespace planetserve::scoring
