// The paper's source anonymity: what an adversary that owns a share f of the relays still does not know about who sent
// a message, as the entropy of its guess over that of a guess among all N nodes. 1: it knows nothing; 0: it knows.
//
// The formulas are those the paper's figures were made with, taken as they are. Where they stand on odd feet: the
// suspects' probabilities may add up to more than one (see overfull_probability), and they know nothing of time, of
// the model node's view or of a second request.
#pragma once

#include <cstdint>

namespace planetserve::eval {

struct PathShape {
    std::uint64_t nodes = 10'000;  // N
    std::uint32_t paths = 4;       // n
    std::uint32_t relays = 4;      // L, of each path
};

// Malicious relays link what they see within one path. Each path with s_i > 0 malicious relays gives one suspect.
// Onion routing is the same with one path. REQUIRES: 0 <= f <= 1, and nodes, paths, relays > 0.
double anonymity_per_path(const PathShape& shape, double f);

// Malicious relays of different paths collude, and every path gives a suspect as soon as one of them is malicious.
double anonymity_across_paths(const PathShape& shape, double f);

// How likely anonymity_per_path is to meet a case in which the suspects' probabilities add up to more than one.
double overfull_probability(const PathShape& shape, double f);

}  // namespace planetserve::eval
