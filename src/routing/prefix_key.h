// The place of a prefix in the tree: 64 bits that follow only from the w-bit hashes on the way to it, so that every
// peer computes the same from the messages it gets.
//
// Different sequences of hashes have equal keys with a probability of about 2^-64 for a pair. A member of the group can
// construct such pairs, but gains only an entry as holder that it could have claimed anyway.
#pragma once

#include <compare>
#include <cstdint>

#include "routing/chunking.h"

namespace planetserve::routing {

struct PrefixKey {
    std::uint64_t value = 0x9e3779b97f4a7c15;  // the root: the empty prefix

    // The root of the tree under an array of that version. Versions have trees of their own in one table, so that the
    // entries of a former array stay until they age out.
    static PrefixKey root(std::uint32_t version) { return PrefixKey{}.child(version); }

    auto operator<=>(const PrefixKey&) const = default;

    // The prefix that is one chunk longer. Never zero, which marks an empty place in tables.
    PrefixKey child(ChunkHash hash) const {
        std::uint64_t mixed = (value ^ hash) * 0xd6e8feb86659fd93;
        mixed ^= mixed >> 32;
        return {mixed == 0 ? 1 : mixed};
    }
};

}  // namespace planetserve::routing
