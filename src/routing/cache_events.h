// An engine's events about the blocks in its KV cache: vLLM's KV events (docs/protocols/routing.md, "An engine that
// tells what it holds"). A block is a run of tokens after a certain prefix.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace planetserve::routing {

// The engine's name for a block. Only the engine can compute it.
struct BlockHash {
    std::uint64_t value = 0;
    auto operator<=>(const BlockHash&) const = default;
};

// Where the engine keeps a block. It can continue a prompt from each of them.
enum class Medium : std::uint8_t { gpu, cpu, other };
inline constexpr std::size_t media = 3;

// Consecutive blocks; each has block_size of the tokens.
struct BlocksStored {
    std::vector<BlockHash> hashes;
    std::optional<BlockHash> parent;    // empty: the first block begins the prompt
    std::vector<std::uint32_t> tokens;  // empty: the engine only copied known blocks to this medium
    std::uint32_t block_size = 0;
    Medium medium = Medium::gpu;
    // Whether the blocks depend on the tokens alone: no adapter, picture or salt.
    bool plain = true;
    // A model with several kinds of layers has several groups of blocks. Only a group that keeps whole prefixes counts.
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
