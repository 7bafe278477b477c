// The paper's reputation (section 3.4) of a model node from its credits, in floating point: for the experiment only.
#pragma once

#include <cstdint>
#include <deque>
#include <vector>

namespace planetserve::eval {

struct ReputationRules {
    double alpha = 0.4;
    double beta = 0.6;
    std::size_t window = 5;
    double gamma = 0.2;     // the share of abnormal credits that is borne
    double abnormal = 0.4;  // credits below are
    double start = 0.5;
    double trusted = 0.4;  // below, a node gets no traffic
};

class Reputation {
public:
    explicit Reputation(const ReputationRules& rules) : rules_(rules), value_(rules.start) {}

    // R = alpha R + beta C; where more than the share gamma of the last W credits is abnormal, c of them,
    // R = alpha R + (W + 1) / (W + c / gamma + 2) C. Kept in [0, 1].
    void add(double credit);
    double value() const { return value_; }
    bool trusted() const { return value_ >= rules_.trusted; }

private:
    ReputationRules rules_;
    double value_;
    std::deque<bool> recent_;
};

// Over epochs: the mean of many nodes' reputations whose credits are drawn from these, and the share that is trusted.
struct ReputationCurve {
    std::vector<double> mean;
    std::vector<double> trusted;
};
ReputationCurve reputation_curve(const std::vector<double>& credits, const ReputationRules& rules, std::size_t epochs,
                                 std::size_t nodes, std::uint64_t seed);
// The share of the nodes that is ever not trusted in so many epochs.
double ever_untrusted(const std::vector<double>& credits, const ReputationRules& rules, std::size_t epochs,
                      std::size_t nodes, std::uint64_t seed);

}  // namespace planetserve::eval
