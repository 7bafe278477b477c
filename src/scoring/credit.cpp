#include "scoring/credit.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace planetserve::scoring {

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
    for (Measure measure : all_measures) {
        auto& sorted = calibration.sorted_[std::to_underlying(measure)];
        sorted.reserve(honest.size());
        for (const Statistics& run : honest) sorted.push_back(statistic(run, measure));
        if (!std::ranges::all_of(sorted, [](double value) { return std::isfinite(value); }))
            return fail(ErrorCode::invalid_argument, "a calibration has figures that are not finite");
        std::ranges::sort(sorted);
    }
    return calibration;
}

double Calibration::p_value(Measure measure, double value) const {
    const auto& sorted = sorted_[std::to_underlying(measure)];
    if (!std::isfinite(value)) value = std::numeric_limits<double>::max();
    auto at_least = sorted.end() - std::ranges::lower_bound(sorted, value);
    return (1.0 + static_cast<double>(at_least)) / (static_cast<double>(sorted.size()) + 1);
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
        double p = calibration.p_value(measure, statistic(pooled, measure));
        credit.p_values[std::to_underlying(measure)] = p;
        least = std::min(least, p);
        ++applied;
    }
    credit.value = std::min(1.0, applied * least / rules.significance);
    return credit;
}

std::uint32_t millionths(double credit) {
    constexpr double one = 1e6;
    if (!(credit > 0)) return 0;
    return static_cast<std::uint32_t>(std::lround(std::min(credit, 1.0) * one));
}

}  // namespace planetserve::scoring
