#include "routing/block_table.h"

#include <algorithm>
#include <limits>

namespace planetserve::routing {

BlockTable::BlockTable(std::uint64_t secret, BlockTableLimits limits)
    : root_{secret | 1},
      limits_{std::min<std::size_t>(limits.blocks, PrefixTable::largest_value),
              std::min<std::size_t>(limits.levels, PrefixTable::largest_value)},
      by_hash_(secret),
      by_prefix_(secret) {}

PrefixKey BlockTable::extend(PrefixKey prefix, std::span<const std::uint32_t> tokens) const {
    for (std::uint32_t token : tokens) prefix = prefix.child(token);
    return prefix;
}

void BlockTable::clear(bool complete) {
    complete_ = complete;
    block_size_ = 0;
    group_.reset();
    by_hash_.clear();
    by_prefix_.clear();
    blocks_.clear();
    free_blocks_.clear();
    held_ = 0;
    unbind_all();
}

void BlockTable::unbind_all() {
    for (Block& block : blocks_) block.first_level = none;
    bound_.clear();
    free_levels_.clear();
}

void BlockTable::apply(const CacheEvent& event, std::vector<PrefixKey>& lost) {
    if (const auto* stored = std::get_if<BlocksStored>(&event)) return store(*stored);
    if (const auto* removed = std::get_if<BlocksRemoved>(&event)) return remove(*removed, lost);
    for (const Block& block : blocks_)
        for (Index level = block.first_level; level != none; level = bound_[level].next)
            lost.push_back(bound_[level].key);
    clear(true);
}

void BlockTable::store(const BlocksStored& event) {
    counters_.stored += event.hashes.size();
    if (event.whole_prefix && !group_) group_ = event.group;
    const std::size_t size = event.block_size;
    const bool known_only = event.tokens.empty();
    const bool fits = known_only || (size > 0 && event.tokens.size() == size * event.hashes.size());
    if (!event.whole_prefix || event.group != group_ || !event.plain || !fits) {
        counters_.others += event.hashes.size();
        return;
    }
    // An engine keeps one block size while it runs.
    if (!known_only && block_size_ == 0) block_size_ = size;

    Index parent = none;
    if (event.parent && !known_only) {
        parent = by_hash_.find(key_of(*event.parent));
        if (parent == none) {
            counters_.orphans += event.hashes.size();
            return;
        }
    }
    std::span<const std::uint32_t> tokens = event.tokens;
    PrefixKey prefix = parent == none ? root_ : blocks_[parent].prefix;
    for (BlockHash hash : event.hashes) {
        const PrefixKey key = key_of(hash);
        if (!known_only) {
            prefix = extend(prefix, tokens.first(size));
            tokens = tokens.subspan(size);
        }
        Index index;
        if (const Index found = by_hash_.find(key); found != none) {
            index = found;
        } else if (known_only || size != block_size_) {
            ++counters_.others;
            continue;
        } else if (by_hash_.size() >= limits_.blocks) {
            // Without this block, the blocks after it cannot be placed either.
            ++counters_.overflow;
            return;
        } else {
            index = create(key, prefix, parent);
        }
        Block& block = blocks_[index];
        if (!block.held()) ++held_;
        std::uint16_t& copies = block.copies[static_cast<std::size_t>(event.medium)];
        if (copies < std::numeric_limits<std::uint16_t>::max()) ++copies;
        parent = index;
    }
}

BlockTable::Index BlockTable::create(PrefixKey hash, PrefixKey prefix, Index parent) {
    Index index;
    if (free_blocks_.empty()) {
        index = static_cast<Index>(blocks_.size());
        blocks_.emplace_back();
    } else {
        index = free_blocks_.back();
        free_blocks_.pop_back();
    }
    Block& block = blocks_[index];
    block = {.hash = hash, .prefix = prefix, .parent = parent};
    if (parent != none) {
        block.next_sibling = blocks_[parent].first_child;
        if (block.next_sibling != none) blocks_[block.next_sibling].previous_sibling = index;
        blocks_[parent].first_child = index;
    }
    by_hash_.insert(hash, index);
    if (by_prefix_.find(prefix) == none) {
        by_prefix_.insert(prefix, index);
        block.by_prefix = true;
    }
    return index;
}

void BlockTable::remove(const BlocksRemoved& event, std::vector<PrefixKey>& lost) {
    if (event.group != group_.value_or(0)) return;
    counters_.removed += event.hashes.size();
    for (BlockHash hash : event.hashes) {
        const Index index = by_hash_.find(key_of(hash));
        if (index == none) continue;
        Block& block = blocks_[index];
        std::uint16_t& copies = block.copies[static_cast<std::size_t>(event.medium)];
        if (copies == 0) continue;
        --copies;
        if (copies > 0 || block.held()) continue;
        --held_;
        lose_levels(index, lost);
        prune(index);
    }
}

void BlockTable::release_levels(Block& block) {
    for (Index level = block.first_level; level != none;) {
        const Index next = bound_[level].next;
        free_levels_.push_back(level);
        level = next;
    }
    block.first_level = none;
}

void BlockTable::lose_levels(Index top, std::vector<PrefixKey>& lost) {
    for (Index index = top;;) {
        Block& block = blocks_[index];
        for (Index level = block.first_level; level != none; level = bound_[level].next)
            lost.push_back(bound_[level].key);
        release_levels(block);
        if (block.first_child != none) {
            index = block.first_child;
            continue;
        }
        while (index != top && blocks_[index].next_sibling == none) index = blocks_[index].parent;
        if (index == top) return;
        index = blocks_[index].next_sibling;
    }
}

void BlockTable::prune(Index index) {
    while (index != none && !blocks_[index].held() && blocks_[index].first_child == none) {
        Block& block = blocks_[index];
        const Index parent = block.parent;
        if (block.previous_sibling != none)
            blocks_[block.previous_sibling].next_sibling = block.next_sibling;
        else if (parent != none)
            blocks_[parent].first_child = block.next_sibling;
        if (block.next_sibling != none) blocks_[block.next_sibling].previous_sibling = block.previous_sibling;
        by_hash_.erase(block.hash);
        if (block.by_prefix) by_prefix_.erase(block.prefix);
        release_levels(block);
        block = {};
        free_blocks_.push_back(index);
        index = parent;
    }
}

template <typename Visit>
void BlockTable::walk(std::span<const std::uint32_t> tokens, Visit&& visit) const {
    if (block_size_ == 0) return;
    PrefixKey prefix = root_;
    for (std::size_t end = block_size_; end <= tokens.size(); end += block_size_) {
        prefix = extend(prefix, tokens.subspan(end - block_size_, block_size_));
        const Index found = by_prefix_.find(prefix);
        if (found == none || !blocks_[found].held()) return;
        visit(found, end);
    }
}

std::size_t BlockTable::held_tokens(std::span<const std::uint32_t> tokens) const {
    std::size_t held = 0;
    walk(tokens, [&](Index, std::size_t end) { held = end; });
    return held;
}

void BlockTable::bind(std::span<const std::uint32_t> tokens, std::span<const Level> levels) {
    walk(tokens, [&](Index index, std::size_t end) {
        for (; !levels.empty() && levels.front().tokens <= end; levels = levels.subspan(1)) {
            Block& block = blocks_[index];
            Index level = block.first_level;
            while (level != none && bound_[level].key != levels.front().key) level = bound_[level].next;
            if (level != none) continue;
            if (!free_levels_.empty()) {
                level = free_levels_.back();
                free_levels_.pop_back();
            } else if (bound_.size() < limits_.levels) {
                level = static_cast<Index>(bound_.size());
                bound_.emplace_back();
            } else {
                ++counters_.overflow;
                continue;
            }
            bound_[level] = {levels.front().key, block.first_level};
            block.first_level = level;
        }
    });
}

}  // namespace planetserve::routing
