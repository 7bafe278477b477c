#include "base/random.h"

#include <bit>
#include <cstring>

#include "base/requires.h"

namespace planetserve {

std::uint64_t Random::below(std::uint64_t bound) {
    REQUIRES(bound > 0);
    std::uint64_t threshold = (0 - bound) % bound;
    for (;;) {
        std::uint64_t value = next();
        if (value >= threshold) return value % bound;
    }
}

SeededRandom::SeededRandom(std::uint64_t seed) {
    for (auto& word : state_) {
        seed += 0x9E3779B97F4A7C15ULL;
        std::uint64_t z = seed;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
        word = z ^ (z >> 31);
    }
}

std::uint64_t SeededRandom::step() {
    std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

void SeededRandom::fill(MutableByteView out) {
    while (!out.empty()) {
        std::uint64_t word = step();
        std::size_t size = std::min(out.size(), sizeof word);
        std::memcpy(out.data(), &word, size);
        out = out.subspan(size);
    }
}

}  // namespace planetserve
