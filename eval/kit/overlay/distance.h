// How far nodes are from each other in the simulated network: what anyone can measure.
#pragma once

#include "base/ids.h"
#include "base/random.h"
#include "base/time.h"

namespace planetserve::eval {

// One way takes 10 to 90 ms, the same each time for the same two nodes, and up to `jitter` more.
inline constexpr Duration jitter = 4ms;

inline Duration distance(const NodeId& one, const NodeId& other) {
    auto low = load_big_endian<std::uint64_t>(ByteView(one.value).first(8));
    auto high = load_big_endian<std::uint64_t>(ByteView(other.value).first(8));
    return Duration(10'000 + SeededRandom(low ^ high).below(80'000));
}

}  // namespace planetserve::eval
