// The paper's confidentiality: the probability that an attack on one message, dispersed as n cloves of which any k
// recover it over n paths of L relays, fails when a share f of the N nodes is malicious.
#pragma once

#include <optional>
#include <vector>

#include "base/random.h"

namespace planetserve::eval {

struct DispersalShape {
    std::uint64_t nodes = 10'000;  // N
    std::uint32_t paths = 4;       // n
    std::uint32_t needed = 3;      // k
    std::uint32_t relays = 4;      // L, of each path
};

// A path is captured when one of its relays is malicious: 1 - (1 - f)^L.
double captured_probability(std::uint32_t relays, double f);
// M: how many malicious nodes there are, one at the least.
std::uint64_t malicious_nodes(std::uint64_t nodes, double f);

// All malicious nodes collude and try the cloves of different paths together: P[Bin(n, q) < k].
double survives_collusion(const DispersalShape& shape, double f);

// Malicious nodes do not link paths. Each captured path is seen by one of them, uniform among the M, and the attack
// succeeds only where one and the same sees k cloves. Exact, by the multinomial.
double survives_single_nodes(const DispersalShape& shape, double f);

// Draws what happens to one message: for each path, which malicious node sees it, if any.
class CaptureSampler {
public:
    CaptureSampler(const DispersalShape& shape, double f, Random& random);

    using Capture = std::vector<std::optional<std::uint64_t>>;
    const Capture& draw();

private:
    DispersalShape shape_;
    double f_;
    std::uint64_t malicious_;
    Random& random_;
    Capture capture_;
};

std::uint32_t captured_paths(const CaptureSampler::Capture& capture);
// Paths seen by the node that sees most of them.
std::uint32_t most_seen_by_one(const CaptureSampler::Capture& capture);

// The share of `runs` messages that survive each of the two attacks.
struct Survival {
    double collusion = 0;
    double single_nodes = 0;
};
Survival sample_survival(const DispersalShape& shape, double f, std::uint64_t runs, Random& random);

}  // namespace planetserve::eval
