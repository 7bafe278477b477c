// The place of a prefix in the tree: 64 bits computed only from the w-bit hashes on the path to it, so every peer
// computes the same key from the messages that it gets.
//
// Two different sequences of hashes have equal keys with a probability of about 2^-64. A member of the group can
// construct such a pair. It gains only an entry as holder, which it could have claimed anyway.
#pragma once

#include <compare>
#include <cstdint>

#include "routing/chunking.h"

namespace planetserve::routing {

struct PrefixKey {
    std::uint64_t value = 0x9e3779b97f4a7c15;  // the root: the empty prefix

    // The root of the tree under the chunk-length array of this version. Each version has its own tree in the same
    // table, so the entries of a former array stay until they age out.
    static PrefixKey root(std::uint32_t version) { return PrefixKey{}.child(version); }

    auto operator<=>(const PrefixKey&) const = default;

    // The prefix that is one chunk longer. Never zero: CacheMirror keeps zero for an unused entry.
    PrefixKey child(ChunkHash hash) const {
        std::uint64_t mixed = (value ^ hash) * 0xd6e8feb86659fd93;
        mixed ^= mixed >> 32;
        return {mixed == 0 ? 1 : mixed};
    }
};

}  // namespace planetserve::routing
