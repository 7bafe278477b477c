// An engine's events about the blocks in its KV cache. A block is a run of tokens after a certain prefix; its hash
// means something only to the engine (vLLM's KV events; docs/protocols/routing.md, "An engine that tells what it
// holds").
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace planetserve::routing {

// The engine's name for a block; it means nothing by itself.
struct BlockHash {
    std::uint64_t value = 0;
    auto operator<=>(const BlockHash&) const = default;
};

// Where a block is kept. A prompt can be continued from each of them.
enum class Medium : std::uint8_t { gpu, cpu, other };
inline constexpr std::size_t media = 3;

// Blocks that follow each other; each has block_size of the tokens.
struct BlocksStored {
    std::vector<BlockHash> hashes;
    std::optional<BlockHash> parent;    // none: the first block begins the prompt
    std::vector<std::uint32_t> tokens;  // none: the engine only copied known blocks there
    std::uint32_t block_size = 0;
    Medium medium = Medium::gpu;
    // The blocks depend on the tokens alone: no adapter, picture or salt.
    bool plain = true;
    // Models with several kinds of layers keep groups of blocks. Only those that hold whole prefixes count.
    std::uint32_t group = 0;
    bool whole_prefix = true;

    bool operator==(const BlocksStored&) const = default;
};

struct BlocksRemoved {
    std::vector<BlockHash> hashes;
    Medium medium = Medium::gpu;
    std::uint32_t group = 0;

    bool operator==(const BlocksRemoved&) const = default;
};

struct CacheCleared {
    bool operator==(const CacheCleared&) const = default;
};

using CacheEvent = std::variant<BlocksStored, BlocksRemoved, CacheCleared>;

}  // namespace planetserve::routing
