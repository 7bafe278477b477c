// Randomness as a parameter. Production code passes crypto::SystemRandom; the simulator and tests pass SeededRandom.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/bytes.h"
#include "base/ids.h"

namespace planetserve {

class Random {
public:
    virtual ~Random() = default;
    virtual void fill(MutableByteView out) = 0;

    std::uint64_t next() {
        std::array<std::uint8_t, 8> bytes{};
        fill(bytes);
        return load_big_endian<std::uint64_t>(bytes);
    }
    // Uniform in [0, bound), without modulo bias. REQUIRES: bound > 0.
    std::uint64_t below(std::uint64_t bound);
    // Uniform in [0, 1).
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

    template <typename Id>
    Id id() {
        Id value;
        fill(value.value);
        return value;
    }
    template <typename T>
    void shuffle(std::vector<T>& items) {
        for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
    }
};

// Deterministic (xoshiro256** seeded by splitmix64). NOT for keys: tests and simulation only.
class SeededRandom final : public Random {
public:
    explicit SeededRandom(std::uint64_t seed);
    void fill(MutableByteView out) override;

private:
    std::uint64_t step();
    std::array<std::uint64_t, 4> state_{};
};

}  // namespace planetserve
