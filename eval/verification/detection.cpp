#include "eval/verification/detection.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace planetserve::eval {

using scoring::Statistics;

void TokenStream::add(const scoring::AnswerScore& answer) {
    tokens.insert(tokens.end(), answer.tokens.begin(), answer.tokens.end());
    if (answer.structure != scoring::Structure::sound && !tokens.empty()) unsound.push_back(tokens.size() - 1);
}

std::vector<Statistics> windows(const TokenStream& stream, std::size_t size) {
    std::vector<Statistics> result;
    for (std::size_t begin = 0; begin + size <= stream.tokens.size(); begin += size) {
        scoring::AnswerScore window;
        auto first = stream.tokens.begin() + static_cast<std::ptrdiff_t>(begin);
        window.tokens.assign(first, first + static_cast<std::ptrdiff_t>(size));
        auto inside = [&](std::size_t place) { return begin <= place && place < begin + size; };
        if (std::ranges::any_of(stream.unsound, inside)) window.structure = scoring::Structure::false_end;
        scoring::Pool pool;
        pool.add(window);
        result.push_back(pool.statistics());
    }
    return result;
}

std::string_view to_string(Suspicion by) {
    switch (by) {
        case Suspicion::inverse_perplexity:
            return "1/PPL";
        case Suspicion::margin:
            return "margin";
        case Suspicion::entropy:
            return "entropy z";
        case Suspicion::rank:
            return "rank (PIT)";
    }
    return "unknown";
}

std::vector<double> suspicion(std::span<const Statistics> windows, Suspicion by) {
    std::vector<double> values;
    for (const Statistics& window : windows) {
        switch (by) {
            case Suspicion::inverse_perplexity:
                values.push_back(-window.inverse_perplexity);
                break;
            case Suspicion::margin:
                values.push_back(scoring::statistic(window, scoring::Measure::margin));
                break;
            case Suspicion::entropy:
                values.push_back(scoring::statistic(window, scoring::Measure::entropy));
                break;
            case Suspicion::rank:
                values.push_back(scoring::statistic(window, scoring::Measure::rank));
                break;
        }
    }
    return values;
}

double area_under_curve(std::vector<double> honest, std::span<const double> dishonest) {
    if (honest.empty() || dishonest.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::ranges::sort(honest);
    double sum = 0;
    for (double value : dishonest) {
        auto [low, high] = std::ranges::equal_range(honest, value);
        sum += static_cast<double>(low - honest.begin()) + static_cast<double>(high - low) / 2;
    }
    return sum / static_cast<double>(honest.size()) / static_cast<double>(dishonest.size());
}

double detected_at(std::vector<double> honest, std::span<const double> dishonest, double false_alarms) {
    if (honest.empty() || dishonest.empty()) return std::numeric_limits<double>::quiet_NaN();
    std::ranges::sort(honest, std::greater{});
    auto allowed = static_cast<std::size_t>(false_alarms * static_cast<double>(honest.size()));
    double threshold = honest[std::min(allowed, honest.size() - 1)];
    auto above = std::ranges::count_if(dishonest, [&](double value) { return value > threshold; });
    return static_cast<double>(above) / static_cast<double>(dishonest.size());
}

}  // namespace planetserve::eval
