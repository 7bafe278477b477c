// The credit C of an epoch from the statistics of a pool of answers: how unusual they are among honest nodes
// (p-values).
#pragma once

#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "scoring/answer_score.h"

namespace planetserve::scoring {

enum class Measure : std::uint8_t { margin, entropy, rank };
inline constexpr std::size_t measure_count = 3;
inline constexpr std::array all_measures{Measure::margin, Measure::entropy, Measure::rank};
std::string_view to_string(Measure measure);
// What a test measures: the larger, the less like an honest answer. Of entropy z, the absolute value.
double statistic(const Statistics& statistics, Measure measure);

// The margin of an honest engine of another kind: about normal, with this mean, and for n tokens the deviation of one
// divided by sqrt(n). More than what was measured (docs/evaluation.md, verification).
struct MarginNoise {
    double mean = 0.003;
    double deviation = 0.025;
};

// The distribution of honest answers' statistics, pooled like the answers to score.
class Calibration {
public:
    static constexpr std::size_t least_runs = 200;

    // From honest runs of one class of engine: the verifier's own model on engines of that class (quantisations, batch
    // sizes, thread counts, processors). invalid_argument for fewer runs, or figures that are not finite.
    static Result<Calibration> make(const std::vector<Statistics>& honest);
    // Without any: entropy and rank have known distributions, whatever the model is, |N(0, 1)| and Kolmogorov's.
    static Calibration known(const MarginNoise& noise = {});

    // alpha: an honest node has a credit below x with probability at most x alpha. Runs show no less than one in their
    // number; where distributions are known a credit need not be lost to chance once in a thousand epochs.
    double significance() const { return sorted_ ? 0.05 : 0.001; }
    // Of runs: (1 + number of those with at least this) / (runs + 1). `tokens` are those the figure is of.
    double p_value(Measure measure, double value, std::size_t tokens) const;

private:
    Calibration() = default;

    std::optional<std::array<std::vector<double>, measure_count>> sorted_;
    MarginNoise noise_;
};

struct CreditRules {
    std::size_t least_tokens = 128;  // fewer are inconclusive
    bool seed_bound = true;          // false: an engine that takes no seed, judged without the margin
};

enum class Grounds : std::uint8_t {
    inconclusive,  // too few tokens; changes nothing
    structure,     // an answer that was cut or padded: credit 0
    replay,        // every token is what the nonce draws on the verifier's own kernels: credit 1
    tests,         // by the p-values
};
std::string_view to_string(Grounds grounds);

struct Credit {
    Grounds grounds = Grounds::inconclusive;
    double value = 0;  // in [0, 1]; says nothing when inconclusive
    // Of the tests that apply; only when judged by tests.
    std::array<std::optional<double>, measure_count> p_values = {};
};

// min(1, m min(p) / alpha) over the m tests that apply: three; one for greedy answers; two without a seed.
Credit credit_of(const Statistics& pooled, const Calibration& calibration, const CreditRules& rules = {});

// The credit in a vote: whole millionths, to the nearest. NaN is 0.
std::uint32_t millionths(double credit);

}  // namespace planetserve::scoring
