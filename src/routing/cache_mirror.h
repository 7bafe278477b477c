// A model of what this node's engine has in its cache: the only source of this node's entries in every member's tree.
//
// Engines keep prefixes in blocks and evict the least recently used, leaves first (vLLM's block manager, and in effect
// llama-server's slots). The mirror does the same within the same capacity. The engine's reports correct it (forget).
// Each call says what changed, for the node's own tree and for its peers.
//
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "routing/prefix_key.h"
#include "routing/prefix_table.h"

namespace planetserve::routing {

// A run of tree nodes below a parent. Each is the child of the previous one.
struct PathChange {
    enum class Kind : std::uint8_t { insert = 1, remove = 2 };
    Kind kind = Kind::insert;
    PrefixKey parent;
    std::vector<ChunkHash> hashes;

    bool operator==(const PathChange&) const = default;
};

class CacheMirror {
public:
    // The changes of a call, in order. Apply a removal from its end, where the deepest level is.
    using Changes = std::vector<PathChange>;

    // The capacity in bytes of canonical serialisation, and in entries of any size. The secret is PrefixTable's.
    CacheMirror(std::uint64_t secret, std::uint64_t capacity_bytes, std::size_t capacity_entries);

    // The engine has processed a prompt: its levels are now the newest. Level i's chunk has sizes[i] bytes. Evicts what
    // no longer fits; of a prompt beyond the whole capacity, the mirror keeps the beginning. REQUIRES: as many sizes as
    // hashes.
    void use(std::span<const ChunkHash> hashes, std::span<const std::uint32_t> sizes, Changes& changes,
             PrefixKey root = {});
    // The engine holds only the first `levels` levels of a prompt. Removes the deeper ones and all that continue them.
    void forget(std::span<const ChunkHash> hashes, std::size_t levels, Changes& changes, PrefixKey root = {});
    // Removes one level, by its key, and all that continue it. Does nothing if the mirror does not have it.
    void forget(PrefixKey top, Changes& changes);
    // The engine holds more than configured. A smaller capacity than the present one changes nothing.
    void grow(std::uint64_t capacity_bytes) { capacity_bytes_ = std::max(capacity_bytes_, capacity_bytes); }
    // The engine restarted or emptied its cache.
    void clear();

    // How many levels of a prompt the mirror has.
    std::size_t depth(std::span<const ChunkHash> hashes, PrefixKey root = {}) const;

    // Emits all entries as insertions, parents before children, in runs as long as possible.
    void snapshot(const std::function<void(PathChange&&)>& emit) const;

    std::size_t entries() const { return table_.size(); }
    std::uint64_t bytes() const { return bytes_; }
    std::uint64_t key_sum() const { return key_sum_; }

private:
    using Index = std::uint32_t;
    static constexpr Index none = PrefixTable::absent;
    struct Entry {
        std::uint64_t key = 0;  // zero: unused
        std::uint64_t root = 0;
        Index parent = none;
        ChunkHash hash = 0;
        Index older = none;
        Index newer = none;
        Index first_child = none;
        Index previous_sibling = none;
        Index next_sibling = none;
        std::uint32_t size = 0;
    };

    PrefixKey parent_key(const Entry& entry) const {
        return entry.parent == none ? PrefixKey{entry.root} : key_of(entry.parent);
    }
    PrefixKey key_of(Index index) const { return {entries_[index].key}; }
    bool fits(std::size_t more_entries, std::uint64_t more_bytes) const {
        return table_.size() + more_entries <= capacity_entries_ && bytes_ + more_bytes <= capacity_bytes_;
    }
    Index create(PrefixKey key, Index parent, PrefixKey root, ChunkHash hash, std::uint32_t size);
    // Removes a leaf and appends it to the removals.
    void remove_leaf(Index index, Changes& changes);
    void link_newest(Index index);
    void unlink(Index index);

    std::uint64_t capacity_bytes_;
    std::size_t capacity_entries_;
    PrefixTable table_;
    std::vector<Entry> entries_;
    std::vector<Index> free_;
    Index oldest_ = none;
    Index newest_ = none;
    std::uint64_t bytes_ = 0;
    std::uint64_t key_sum_ = 0;
};

}  // namespace planetserve::routing
