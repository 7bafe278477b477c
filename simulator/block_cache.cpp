#include "simulator/block_cache.h"

#include <cstring>

#include "base/requires.h"

namespace planetserve::simulator {

std::vector<BlockId> block_ids(ByteView prompt, std::size_t block_bytes) {
    std::vector<BlockId> ids;
    ids.reserve(prompt.size() / block_bytes);
    std::uint64_t hash = 0x9E3779B97F4A7C15ULL;
    auto mix = [&](std::uint64_t word) {
        hash = (hash ^ word) * 0xD6E8FEB86659FD93ULL;
        hash ^= hash >> 32;
    };
    for (; prompt.size() >= block_bytes; prompt = prompt.subspan(block_bytes)) {
        for (std::size_t i = 0; i < block_bytes; i += 8) {
            std::uint64_t word = 0;
            std::memcpy(&word, prompt.data() + i, std::min<std::size_t>(8, block_bytes - i));
            mix(word);
        }
        mix(0);
        ids.push_back(hash);
    }
    return ids;
}

std::size_t BlockCache::match(std::span<const BlockId> blocks) const {
    std::size_t count = 0;
    while (count < blocks.size() && blocks_.contains(blocks[count])) ++count;
    return count;
}

bool BlockCache::admit(std::span<const BlockId> matched, std::size_t own) {
    std::size_t newly_pinned = 0;
    for (BlockId id : matched) {
        auto found = blocks_.find(id);
        REQUIRES(found != blocks_.end());
        newly_pinned += found->second.pins == 0 ? 1 : 0;
    }
    if (in_use() + newly_pinned + own > capacity_) return false;
    for (BlockId id : matched) {
        Block& block = blocks_.at(id);
        if (block.pins++ == 0) idle_.erase(block.idle);
    }
    own_ += own;
    while (blocks_.size() + own_ > capacity_) {
        blocks_.erase(idle_.front());
        idle_.pop_front();
    }
    return true;
}

bool BlockCache::publish(BlockId id) {
    auto [found, added] = blocks_.try_emplace(id);
    if (!added) return false;
    REQUIRES(own_ > 0);
    found->second.pins = 1;
    --own_;
    return true;
}

void BlockCache::release(std::span<const BlockId> pinned, std::size_t own) {
    REQUIRES(own <= own_);
    own_ -= own;
    for (std::size_t i = pinned.size(); i > 0; --i) {
        Block& block = blocks_.at(pinned[i - 1]);
        if (--block.pins == 0) block.idle = idle_.insert(idle_.end(), pinned[i - 1]);
    }
}

}  // namespace planetserve::simulator
