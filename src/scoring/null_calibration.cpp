#include "scoring/null_calibration.h"

#include <cmath>
#include <numbers>

namespace planetserve::scoring {

namespace {

constexpr std::size_t runs = 400;

double normal(Random& random) {
    double radius = std::sqrt(-2 * std::log(1 - random.unit()));
    return radius * std::cos(2 * std::numbers::pi * random.unit());
}

}  // namespace

Calibration null_calibration(Random& random, std::size_t tokens, double margin_noise) {
    std::vector<Statistics> honest;
    for (std::size_t run = 0; run < runs; ++run) {
        std::vector<double> ranks(tokens);
        for (double& rank : ranks) rank = random.unit();
        Statistics statistics;
        statistics.tokens = statistics.drawn = tokens;
        statistics.margin = margin_noise * static_cast<double>(run + 1) / static_cast<double>(runs);
        statistics.entropy_z = normal(random);
        statistics.kolmogorov_smirnov = std::sqrt(static_cast<double>(tokens)) * kolmogorov_distance(std::move(ranks));
        honest.push_back(statistics);
    }
    return *Calibration::make(honest);
}

}  // namespace planetserve::scoring
