#include "eval/anonymity/anonymity.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "eval/kit/binomial.h"

namespace planetserve::eval {

namespace {

// Cases less likely than this change nothing in the first nine digits.
constexpr double negligible = 1e-18;

// h(p), the share of one suspect in the entropy. What is left over after suspects that add up to more than one is
// negative and counts as nothing.
double entropy_term(double p) { return p > 0 ? -p * std::log2(p) : 0; }

// `suspects` of probability p each, and the honest nodes besides them share the rest.
double entropy(const PathShape& shape, double f, std::uint32_t suspects, double p) {
    // nearbyint: ties to even.
    double others = std::max(1.0, std::nearbyint((1 - f) * static_cast<double>(shape.nodes)) - suspects);
    return suspects * entropy_term(p) + others * entropy_term((1 - suspects * p) / others);
}

// Calls visit(c, s, probability) for c paths with a malicious relay and s malicious relays in all.
template <typename Visit>
void for_each_case(const PathShape& shape, double f, Visit&& visit) {
    const std::size_t columns = std::size_t{shape.paths} * shape.relays + 1;
    std::vector<std::vector<double>> cases(shape.paths + 1, std::vector<double>(columns, 0.0));
    cases[0][0] = 1;
    for (std::uint32_t path = 0; path < shape.paths; ++path) {
        std::vector<std::vector<double>> next(shape.paths + 1, std::vector<double>(columns, 0.0));
        for (std::uint32_t c = 0; c <= path; ++c)
            for (std::size_t s = 0; s <= std::size_t{path} * shape.relays; ++s)
                for (std::uint32_t malicious = 0; malicious <= shape.relays && cases[c][s] > 0; ++malicious)
                    next[c + (malicious > 0 ? 1 : 0)][s + malicious] +=
                        cases[c][s] * binomial_probability(malicious, shape.relays, f);
        cases = std::move(next);
    }
    for (std::uint32_t c = 0; c <= shape.paths; ++c)
        for (std::size_t s = 0; s < columns; ++s)
            if (cases[c][s] > negligible) visit(c, s, cases[c][s]);
}

}  // namespace

double anonymity_per_path(const PathShape& shape, double f) {
    const std::size_t relays = std::size_t{shape.paths} * shape.relays;
    const double whole = std::log2(static_cast<double>(shape.nodes));
    double expected = 0;
    for_each_case(shape, f, [&](std::uint32_t c, std::size_t s, double probability) {
        if (c == 0)
            expected += probability * whole;
        else if (s < relays)
            expected += probability * entropy(shape, f, c, 1 / static_cast<double>(relays - s));
    });
    return expected / whole;
}

double anonymity_across_paths(const PathShape& shape, double f) {
    const std::uint32_t relays = shape.paths * shape.relays;
    const double whole = std::log2(static_cast<double>(shape.nodes));
    double expected = binomial_probability(0, relays, f) * whole;
    for (std::uint32_t s = 1; s < relays; ++s)
        expected += binomial_probability(s, relays, f) * entropy(shape, f, shape.paths, 1.0 / (relays - s));
    return expected / whole;
}

double overfull_probability(const PathShape& shape, double f) {
    const std::size_t relays = std::size_t{shape.paths} * shape.relays;
    double sum = 0;
    for_each_case(shape, f, [&](std::uint32_t c, std::size_t s, double probability) {
        if (s < relays && c > relays - s) sum += probability;
    });
    return sum;
}

}  // namespace planetserve::eval
