// What this process has used, and how a cost grows.
#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace planetserve::eval {

// Of all threads of this process, in seconds; the machine's other work is not in it.
double processor_seconds();
// Memory in use, resident, after what was freed went back to the system.
std::size_t resident_bytes();

// The exponent b of cost = a * size^b, by least squares over the logarithms: 1 is growth in proportion. REQUIRES: two
// sizes or more, all figures positive; else not a number.
double growth(const std::vector<std::pair<double, double>>& cost_of_size);

}  // namespace planetserve::eval
