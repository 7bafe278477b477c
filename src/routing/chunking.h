// Prompts as sequences of short hashes (docs/protocols/routing.md).
//
// A prompt's canonical serialisation is a byte string that only grows at its end as the conversation grows. It is cut
// at the boundaries that the group's chunk-length array gives; level i's hash is the low w bits of a keyed hash of
// everything up to boundary i. So two prompts agree in their first d hashes when they agree in their first d chunks,
// and otherwise differ at each level from the first differing chunk on with probability 1 - 2^-w.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "crypto/prefix_hash.h"

namespace planetserve::routing {

// w: how many bits of a level's hash peers exchange.
enum class HashWidth : std::uint8_t { bits8 = 8, bits16 = 16, bits32 = 32 };
// Why 32: docs/protocols/routing.md, "Width".
inline constexpr HashWidth default_width = HashWidth::bits32;

// The low w bits of a level's hash; the others are zero.
using ChunkHash = std::uint32_t;

// Where prompts are cut: all lengths in bytes of the canonical serialisation. The group agrees on one by version.
struct ChunkLengths {
    std::uint32_t version = 0;
    // The first chunks, by the ends of common system prompts: s1, delta, s2 - s1 - delta, delta, ...
    std::vector<std::uint32_t> lengths;
    // Every further chunk; 256 bytes are some 64 tokens of text.
    std::uint32_t tail = 256;
    // A longer prompt is cut to this many chunks.
    std::uint32_t maximum_levels = 1024;

    bool operator==(const ChunkLengths&) const = default;

    static constexpr std::size_t largest_count = 64;
    static constexpr std::uint32_t largest_length = 1 << 20;
    static constexpr std::uint32_t smallest_tail = 16;
    static constexpr std::uint32_t largest_tail = 1 << 16;
    static constexpr std::uint32_t most_levels = 4096;
    // Blocks of the hash over all levels, which bounds the memory of a hasher to some 300 KiB.
    static constexpr std::size_t most_blocks = 8192;

    // Arrays come from peers: whether every field is within the bounds above.
    Status validate() const;
    // Where each level ends, in bytes, strictly ascending. REQUIRES: valid.
    std::vector<std::uint32_t> ends() const;
};

// Hashes prompts under one array and one group key. One call at a time.
class ChunkHasher {
public:
    // The key is the group's secret, at least 16 bytes: whoever lacks it cannot tell which prompts exist.
    // Throws std::logic_error for an array that is not valid.
    ChunkHasher(ByteView group_key, ChunkLengths lengths, HashWidth width);

    // The hashes of the whole chunks that the prompt has; the last, incomplete one has none. The view is valid until
    // the next call.
    std::span<const ChunkHash> hash(ByteView prompt);

    const ChunkLengths& lengths() const { return lengths_; }
    HashWidth width() const { return width_; }
    // How many whole chunks a prompt of that size has, and how many bytes so many levels cover.
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
