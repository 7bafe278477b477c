// The Hash-Radix tree: which model node holds the KV cache of which prefix (docs/protocols/routing.md).
//
// A tree node stands for a prefix and names the set of its holders. It has no pointers: its place follows from the
// hashes on the path to it (PrefixKey). So a search knows all places that a prompt may match before the first look-up.
//
// A holder of a prefix holds all shorter prefixes, so sets of holders only shrink with depth, and a search need not
// walk. It looks for the deepest level with holders, then for each level at which the set changes. It reads several
// places at a time, because it mostly waits for memory. A prompt of 1,500 tokens that one node holds whole costs two
// places and one wait; a prompt of which a third is held costs nine places and three waits. The tree has no load:
// load.h keeps it, once a model node.
//
// Insertion and removal are exact. A match can be wrong in only one way: w-bit hashes agree where the chunks do not. A
// match is d chunks too deep with a probability of about 2^-wd for each prefix that it is compared with. (Besides, two
// of N prefixes share a 64-bit key with a probability of N^2 / 2^65: 3e-8 at a million.)
//
// A holder that claims a prefix without the shorter ones damages only what the tree says about that holder. Budgets of
// each holder and of the tree bound the memory. The tree refuses what does not fit; the holder's own mirror
// (cache_mirror.h) decides what to evict.
//
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "routing/holder_sets.h"
#include "routing/prefix_key.h"
#include "routing/prefix_table.h"

namespace planetserve::routing {

struct Match {
    HolderIndex holder = 0;
    std::uint32_t depth = 0;  // chunks, at least 1

    bool operator==(const Match&) const = default;
};

struct TreeLimits {
    // Prefixes in the tree, at 16 bytes each. At most HolderSets::most_shared.
    std::size_t prefixes = 16'000'000;
    // Prefixes of one holder, unless set_budget says otherwise.
    std::size_t holder_budget = 2'000'000;
};

class HrTree {
public:
    // The secret is random and private to the process; see PrefixTable.
    explicit HrTree(std::uint64_t secret, TreeLimits limits = {}) : limits_(limits), table_(secret) {
        limits_.prefixes = std::min(limits_.prefixes, HolderSets::most_shared);
    }

    // Below, `root` is the root of the array that gave the hashes (PrefixKey::root).

    // Limits how many prefixes a holder may have. Prefixes that it already has stay.
    void set_budget(HolderIndex holder, std::size_t prefixes);

    // Adds a prompt's levels to a holder, from the root down. Returns how many of them it now has: fewer than given
    // when its budget or the tree's is reached.
    std::size_t insert(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root = {});
    // Removes the holder from this prefix, but not from shorter ones. The caller must first remove the prefixes that
    // continue this one. Returns false if the holder did not have it. REQUIRES: hashes is not empty.
    bool remove(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root = {});
    // Removes the holder from all prefixes. Walks the whole tree.
    void remove_holder(HolderIndex holder);

    // The same for one tree node, for callers that keep keys. add() also returns true if the holder already had it.
    bool add(PrefixKey key, HolderIndex holder);
    bool remove(PrefixKey key, HolderIndex holder);
    bool holds(PrefixKey key, HolderIndex holder) const;

    // Sets out to each holder of a part of the prompt with its depth, deepest first. Returns the greatest depth.
    std::uint32_t match(std::span<const ChunkHash> hashes, std::vector<Match>& out, PrefixKey root = {});

    // What a holder has: how many prefixes, and the sum of their keys modulo 2^64. Members compare trees by it.
    struct Content {
        std::size_t prefixes = 0;
        std::uint64_t key_sum = 0;
        bool operator==(const Content&) const = default;
    };
    Content content(HolderIndex holder) const;

    std::size_t prefixes() const { return table_.size(); }
    // Bytes, as the containers count them: of the tree, and of its sets of holders.
    std::size_t memory() const { return table_.memory() + holders_.capacity() * sizeof(Holder); }
    std::size_t holder_list_memory() const { return sets_.memory(); }

private:
    struct Holder {
        Content content;
        std::size_t budget = 0;
        std::uint64_t seen = 0;  // the last search that listed this holder
    };

    Holder& holder_at(HolderIndex holder);
    void compute_keys(std::span<const ChunkHash> hashes, PrefixKey root);
    // An index of keys_, and the set of holders there.
    struct Level {
        std::size_t index = 0;
        HolderSets::Id set = none;
    };
    static constexpr HolderSets::Id none = PrefixTable::absent;
    // The last level before `end` whose set satisfies is_before. REQUIRES: is_before is true from `first` up to some
    // level, and false from there on, at `end` at the latest.
    template <typename IsBefore>
    Level last_level(Level first, std::size_t end, IsBefore&& is_before) const;

    TreeLimits limits_;
    PrefixTable table_;
    HolderSets sets_;
    std::vector<Holder> holders_;
    std::vector<PrefixKey> keys_;
    std::uint64_t searches_ = 0;
};

}  // namespace planetserve::routing
