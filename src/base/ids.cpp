#include "base/ids.h"

#include <random>

namespace planetserve {

std::size_t IdHash::mix(const std::uint8_t* data, std::size_t size) {
    static const std::uint64_t secret = [] {
        std::random_device device;
        return (static_cast<std::uint64_t>(device()) << 32 | device()) | 1;
    }();
    std::uint64_t hash = secret;
    for (std::size_t i = 0; i < size; i += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, data + i, size - i < 8 ? size - i : 8);
        hash ^= word;
        hash *= 0x9E3779B97F4A7C15ULL;
        hash ^= hash >> 29;
        hash *= secret;
        hash ^= hash >> 32;
    }
    return static_cast<std::size_t>(hash);
}

}  // namespace planetserve
