// The KV cache of a modelled engine: blocks of a fixed number of tokens, each named by a hash of everything up to its
// end, so that equal names mean equal prefixes (vLLM's automatic prefix caching).
//
// A running request pins the blocks it uses. Afterwards they are kept until their place is needed: the least recently
// used is evicted first, of one request the deepest. A block that is not full, or that another request computed at the
// same time, is its request's own: it takes a place, and is given back at the request's end. Not thread-safe.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"

namespace planetserve::simulator {

using BlockId = std::uint64_t;

// The names of the whole blocks of a prompt: 64-bit hashes of prefixes. That two of a million prefixes have one name
// has a chance of 1 in 10^7.
std::vector<BlockId> block_ids(ByteView prompt, std::size_t block_bytes);

class BlockCache {
public:
    explicit BlockCache(std::size_t capacity) : capacity_(capacity) {}

    // How many leading blocks are held.
    std::size_t match(std::span<const BlockId> blocks) const;
    // Pins the matched blocks and sets `own` others aside; evicts blocks that are not pinned where there is no room.
    // False, and nothing changed, when even that does not make room. Requires: the matched ones are held.
    bool admit(std::span<const BlockId> matched, std::size_t own);
    // One of a request's own blocks is computed and full. True: it is now pinned, and others can match it. False: there
    // is one of that name already, and this stays the request's own. Requires: a request has own blocks.
    bool publish(BlockId block);
    // A request ends: gives back what it pinned and its own. Requires: it had them.
    void release(std::span<const BlockId> pinned, std::size_t own);

    std::size_t capacity() const { return capacity_; }
    std::size_t held() const { return blocks_.size(); }
    std::size_t in_use() const { return blocks_.size() - idle_.size() + own_; }

private:
    struct Block {
        std::uint32_t pins = 0;
        std::list<BlockId>::iterator idle;  // where pins is 0
    };

    std::size_t capacity_;
    std::size_t own_ = 0;
    std::unordered_map<BlockId, Block> blocks_;
    std::list<BlockId> idle_;  // oldest first
};

}  // namespace planetserve::simulator
