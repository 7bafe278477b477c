// The blocks in an engine's KV cache, by the engine's events (cache_events.h), and the levels of prompts that need
// them.
//
// The table finds a block by the engine's hash, and by the tokens of the whole prefix that the block ends. So it can
// follow a prompt with known tokens from its beginning, as far as the engine holds blocks. A level of a prompt is bound
// to the last block that it needs. When that block or one before it goes, the level is lost.
//
// Events are untrusted input: limits bound blocks and levels. The table skips and counts what does not fit. Not
// thread-safe.
#pragma once

#include <array>
#include <span>
#include <vector>

#include "routing/cache_events.h"
#include "routing/prefix_key.h"
#include "routing/prefix_table.h"

namespace planetserve::routing {

struct BlockTableLimits {
    std::size_t blocks = 1 << 20;  // 16 million tokens, in vLLM's usual blocks of 16
    std::size_t levels = 1 << 20;
};

struct BlockTableCounters {
    std::uint64_t stored = 0;    // blocks in events, repeated ones too
    std::uint64_t removed = 0;   // likewise, in the followed group
    std::uint64_t orphans = 0;   // stored after an unknown block, so their prefix is unknown
    std::uint64_t others = 0;    // skipped: adapter, picture, salt, other group, unfit sizes, copy of an unknown block
    std::uint64_t overflow = 0;  // skipped because a limit was reached
};

class BlockTable {
public:
    // The secret makes keys of prefixes unpredictable to users, who choose tokens.
    explicit BlockTable(std::uint64_t secret, BlockTableLimits limits = {});

    // Appends to `lost` the levels that the engine can no longer continue from.
    void apply(const CacheEvent& event, std::vector<PrefixKey>& lost);
    // Forgets everything. complete: the cache is empty, so from now on the table has all that the engine holds.
    void clear(bool complete);
    // False if the engine may hold blocks from before the table's first event.
    bool complete() const { return complete_; }

    // How many of the prompt's tokens the engine holds, in whole blocks from the beginning.
    std::size_t held_tokens(std::span<const std::uint32_t> tokens) const;

    // A level of a prompt, and how many of the prompt's first tokens it needs.
    struct Level {
        PrefixKey key;
        std::size_t tokens = 0;
    };
    // Binds the levels of a prompt to its blocks, as far as the engine holds them. REQUIRES: Level::tokens ascends over
    // the levels.
    void bind(std::span<const std::uint32_t> tokens, std::span<const Level> levels);
    // Drops all levels; the blocks stay.
    void unbind_all();

    // Tokens of a block; 0 before the first block.
    std::size_t block_size() const { return block_size_; }
    std::size_t blocks() const { return held_; }
    std::size_t levels() const { return bound_.size() - free_levels_.size(); }
    const BlockTableCounters& counters() const { return counters_; }

private:
    using Index = std::uint32_t;
    static constexpr Index none = PrefixTable::absent;
    struct Block {
        PrefixKey hash;          // the engine's hash, as a key of by_hash_
        PrefixKey prefix;        // the key of its tokens and all before them
        bool by_prefix = false;  // by_prefix_ refers to this block
        // The engine may store a prefix twice, if two prompts computed it at the same time.
        std::array<std::uint16_t, media> copies{};
        Index parent = none;
        Index first_child = none;
        Index previous_sibling = none;
        Index next_sibling = none;
        Index first_level = none;

        bool held() const { return copies != decltype(copies){}; }
    };
    struct BoundLevel {
        PrefixKey key;
        Index next = none;
    };

    static PrefixKey key_of(BlockHash hash) { return {hash.value == 0 ? 1 : hash.value}; }
    PrefixKey extend(PrefixKey prefix, std::span<const std::uint32_t> tokens) const;
    void store(const BlocksStored& event);
    void remove(const BlocksRemoved& event, std::vector<PrefixKey>& lost);
    Index create(PrefixKey hash, PrefixKey prefix, Index parent);
    // Drops the levels of the block and of all blocks that continue it.
    void lose_levels(Index top, std::vector<PrefixKey>& lost);
    void release_levels(Block& block);
    // Removes a block that is neither held nor continued, and then such blocks before it.
    void prune(Index index);
    // Visits the held blocks of a prompt, from its beginning.
    template <typename Visit>
    void walk(std::span<const std::uint32_t> tokens, Visit&& visit) const;

    PrefixKey root_;
    BlockTableLimits limits_;
    bool complete_ = false;
    std::size_t block_size_ = 0;
    // The group that the table follows: the group of the first stored event with whole_prefix.
    std::optional<std::uint32_t> group_;
    PrefixTable by_hash_;
    PrefixTable by_prefix_;
    std::vector<Block> blocks_;
    std::vector<Index> free_blocks_;
    std::size_t held_ = 0;
    std::vector<BoundLevel> bound_;
    std::vector<Index> free_levels_;
    BlockTableCounters counters_;
};

}  // namespace planetserve::routing
