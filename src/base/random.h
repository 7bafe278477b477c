// Randomness as a parameter. Production code passes crypto::SystemRandom; the simulator and tests pass SeededRandom.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <unordered_map>
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
    // Uniform in [0, bound), without modulo bias. Requires: bound > 0.
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

// The numbers from 0 below a count in random order, drawn as they are asked for: the first few of many cost no more
// than the first few.
class RandomOrder {
public:
    // The source outlives it.
    RandomOrder(std::size_t count, Random& random) : count_(count), random_(random) {}
    // Empty when all were drawn.
    std::optional<std::size_t> next() {
        if (drawn_ == count_) return std::nullopt;
        std::size_t place = drawn_ + random_.below(count_ - drawn_);
        auto at = [&](std::size_t i) {
            auto found = moved_.find(i);
            return found == moved_.end() ? i : found->second;
        };
        std::size_t value = at(place);
        moved_[place] = at(drawn_);
        moved_.erase(drawn_++);
        return value;
    }

private:
    std::size_t count_;
    Random& random_;
    std::size_t drawn_ = 0;
    std::unordered_map<std::size_t, std::size_t> moved_;  // of a list that is shuffled from its front
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
