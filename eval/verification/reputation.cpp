#include "eval/verification/reputation.h"

#include <algorithm>

#include "base/random.h"

namespace planetserve::eval {

void Reputation::add(double credit) {
    recent_.push_back(credit < rules_.abnormal);
    if (recent_.size() > rules_.window) recent_.pop_front();
    auto abnormal = static_cast<double>(std::ranges::count(recent_, true));
    auto window = static_cast<double>(rules_.window);
    double weight = rules_.beta;
    if (abnormal / window > rules_.gamma) weight = (window + 1) / (window + abnormal / rules_.gamma + 2);
    value_ = std::clamp(rules_.alpha * value_ + weight * credit, 0.0, 1.0);
}

ReputationCurve reputation_curve(const std::vector<double>& credits, const ReputationRules& rules, std::size_t epochs,
                                 std::size_t nodes, std::uint64_t seed) {
    ReputationCurve curve{std::vector<double>(epochs), std::vector<double>(epochs)};
    if (credits.empty()) return curve;
    SeededRandom random(seed);
    for (std::size_t node = 0; node < nodes; ++node) {
        Reputation reputation(rules);
        for (std::size_t epoch = 0; epoch < epochs; ++epoch) {
            reputation.add(credits[random.below(credits.size())]);
            curve.mean[epoch] += reputation.value() / static_cast<double>(nodes);
            curve.trusted[epoch] += (reputation.trusted() ? 1.0 : 0.0) / static_cast<double>(nodes);
        }
    }
    return curve;
}

double ever_untrusted(const std::vector<double>& credits, const ReputationRules& rules, std::size_t epochs,
                      std::size_t nodes, std::uint64_t seed) {
    if (credits.empty() || nodes == 0) return 0;
    SeededRandom random(seed);
    std::size_t fallen = 0;
    for (std::size_t node = 0; node < nodes; ++node) {
        Reputation reputation(rules);
        bool fell = false;
        for (std::size_t epoch = 0; epoch < epochs && !fell; ++epoch) {
            reputation.add(credits[random.below(credits.size())]);
            fell = !reputation.trusted();
        }
        fallen += fell ? 1 : 0;
    }
    return static_cast<double>(fallen) / static_cast<double>(nodes);
}

}  // namespace planetserve::eval
