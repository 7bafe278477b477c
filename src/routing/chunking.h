// Prompts as sequences of short hashes (docs/protocols/routing.md).
//
// A prompt's canonical serialisation is a byte string that only grows at its end as the conversation grows. The group's
// chunk-length array says where to cut it. Level i's hash is the low w bits of a keyed hash of everything up to
// boundary i. So if two prompts agree in their first d chunks, their first d hashes are equal. From the first different
// chunk on, their hashes differ at each level with probability 1 - 2^-w.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/prefix_hash.h"

namespace planetserve::routing {

// w: how many bits of a level's hash members exchange.
enum class HashWidth : std::uint8_t { bits8 = 8, bits16 = 16, bits32 = 32 };
// Why 32: docs/protocols/routing.md, "Width".
inline constexpr HashWidth default_width = HashWidth::bits32;

// The low w bits of a level's hash; the other bits are zero.
using ChunkHash = std::uint32_t;

// The chunk-length array: where to cut prompts, in bytes of the canonical serialisation. The group agrees on each
// version (array_agreement.h).
struct ChunkLengths {
    std::uint32_t version = 0;
    // The first chunks, from the ends s1, s2, ... of common system prompts: s1, delta, s2 - s1 - delta, delta, ...
    std::vector<std::uint32_t> lengths;
    // The length of every further chunk; 256 bytes are some 64 tokens of text.
    std::uint32_t tail = 256;
    // Only this many chunks of a longer prompt count.
    std::uint32_t maximum_levels = 1024;

    bool operator==(const ChunkLengths&) const = default;

    static constexpr std::size_t largest_count = 64;
    static constexpr std::uint32_t largest_length = 1 << 20;
    static constexpr std::uint32_t smallest_tail = 16;
    static constexpr std::uint32_t largest_tail = 1 << 16;
    static constexpr std::uint32_t most_levels = 4096;
    // Blocks of PrefixHash over all levels. Bounds the memory of a hasher to some 300 KiB.
    static constexpr std::size_t most_blocks = 8192;

    // Checks that every field is within the bounds above, since arrays come from peers.
    Status validate() const;
    // Where each level ends, in bytes, strictly ascending. REQUIRES: validate() succeeds.
    std::vector<std::uint32_t> ends() const;
};

// Hashes prompts under one array and one group key. One call at a time.
class ChunkHasher {
public:
    // The key is the group's secret and has at least 16 bytes. Without it nobody can tell which prompts exist. Throws
    // std::logic_error for an invalid array or a shorter key.
    ChunkHasher(ByteView group_key, ChunkLengths lengths, HashWidth width);

    // The hashes of the prompt's whole chunks; an incomplete last chunk has none. The view is valid until the next
    // call.
    std::span<const ChunkHash> hash(ByteView prompt);

    const ChunkLengths& lengths() const { return lengths_; }
    HashWidth width() const { return width_; }
    // How many whole chunks a prompt of this size has, and how many bytes these levels cover.
    std::size_t levels(std::size_t prompt_size) const;
    std::size_t covered(std::size_t levels) const { return levels == 0 ? 0 : ends_[levels - 1]; }

private:
    ChunkLengths lengths_;
    HashWidth width_;
    std::vector<std::uint32_t> ends_;
    crypto::PrefixHash hash_;
    std::vector<std::uint64_t> full_;
    std::vector<ChunkHash> hashes_;
};

}  // namespace planetserve::routing
