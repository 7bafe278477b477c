#include "eval/confidentiality/confidentiality.h"

#include <algorithm>
#include <cmath>

#include "eval/kit/binomial.h"

namespace planetserve::eval {

namespace {

// Polynomials cut off after degree `size() - 1`.
using Polynomial = std::vector<double>;

Polynomial multiply(const Polynomial& a, const Polynomial& b) {
    Polynomial product(a.size(), 0.0);
    for (std::size_t i = 0; i < a.size(); ++i)
        for (std::size_t j = 0; i + j < a.size(); ++j) product[i + j] += a[i] * b[j];
    return product;
}

Polynomial power(Polynomial base, std::uint64_t exponent) {
    Polynomial result(base.size(), 0.0);
    result[0] = 1;
    for (; exponent > 0; exponent /= 2) {
        if (exponent % 2 == 1) result = multiply(result, base);
        base = multiply(base, base);
    }
    return result;
}

}  // namespace

double captured_probability(std::uint32_t relays, double f) {
    return f >= 1 ? 1 : -std::expm1(relays * std::log1p(-f));
}

std::uint64_t malicious_nodes(std::uint64_t nodes, double f) {
    return static_cast<std::uint64_t>(std::max(1.0, std::nearbyint(f * static_cast<double>(nodes))));
}

double survives_collusion(const DispersalShape& shape, double f) {
    double q = captured_probability(shape.relays, f);
    double sum = 0;
    for (std::uint32_t captured = 0; captured < shape.needed; ++captured)
        sum += binomial_probability(captured, shape.paths, q);
    return std::min(sum, 1.0);
}

// Of M^c ways to hand c paths to M nodes, c! [x^c] (sum over j < k of x^j / j!)^M give no node k of them.
double survives_single_nodes(const DispersalShape& shape, double f) {
    auto nodes = malicious_nodes(shape.nodes, f);
    Polynomial one_node(shape.paths + 1, 0.0);
    one_node[0] = 1;
    for (std::uint32_t j = 1; j < shape.needed; ++j)
        one_node[j] = one_node[j - 1] / (static_cast<double>(j) * static_cast<double>(nodes));
    Polynomial all_nodes = power(one_node, nodes);
    double q = captured_probability(shape.relays, f);
    double sum = 0;
    for (std::uint32_t captured = 0; captured <= shape.paths; ++captured)
        sum += binomial_probability(captured, shape.paths, q) * all_nodes[captured] * std::tgamma(captured + 1.0);
    return std::min(sum, 1.0);
}

CaptureSampler::CaptureSampler(const DispersalShape& shape, double f, Random& random)
    : shape_(shape), f_(f), malicious_(malicious_nodes(shape.nodes, f)), random_(random), capture_(shape.paths) {}

const CaptureSampler::Capture& CaptureSampler::draw() {
    for (auto& path : capture_) {
        bool captured = false;
        for (std::uint32_t relay = 0; relay < shape_.relays && !captured; ++relay) captured = random_.unit() < f_;
        path = captured ? std::optional(random_.below(malicious_)) : std::nullopt;
    }
    return capture_;
}

std::uint32_t captured_paths(const CaptureSampler::Capture& capture) {
    return static_cast<std::uint32_t>(
        std::ranges::count_if(capture, [](const auto& seen) { return seen.has_value(); }));
}

std::uint32_t most_seen_by_one(const CaptureSampler::Capture& capture) {
    std::ptrdiff_t most = 0;
    for (const auto& seen : capture)
        if (seen) most = std::max(most, std::ranges::count(capture, seen));
    return static_cast<std::uint32_t>(most);
}

Survival sample_survival(const DispersalShape& shape, double f, std::uint64_t runs, Random& random) {
    CaptureSampler sampler(shape, f, random);
    std::uint64_t collusion = 0;
    std::uint64_t single_nodes = 0;
    for (std::uint64_t run = 0; run < runs; ++run) {
        const auto& capture = sampler.draw();
        std::uint32_t captured = captured_paths(capture);
        if (captured < shape.needed) ++collusion;
        if (captured < shape.needed || most_seen_by_one(capture) < shape.needed) ++single_nodes;
    }
    return {static_cast<double>(collusion) / static_cast<double>(runs),
            static_cast<double>(single_nodes) / static_cast<double>(runs)};
}

}  // namespace planetserve::eval
