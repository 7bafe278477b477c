// The Hash-Radix tree: which model node holds the KV cache of which prefix (docs/protocols/routing.md).
//
// A tree node stands for a prefix and refers to the set of its holders. It has no pointers: its place follows from the
// hashes on the way to it (PrefixKey), so all places that a prompt may match are known before the first look-up. A
// holder of a prefix holds all shorter ones, so sets of holders only shrink with depth, and a search need not walk: it
// looks for the deepest level with holders, then for the levels at which the set changes, at several places at a time,
// because most of the time goes into waiting for memory. A prompt of 1,500 tokens that one node holds whole takes two
// places and one wait, one of which a third is held nine places and three waits. Load and reputation stand once a model
// node (load.h).
//
// Insertion and removal are exact. A match is wrong in one way only: hashes of w bits agree where the chunks do not, so
// a match is d chunks too deep with a probability of about 2^-wd for each prefix it is compared with. (Beyond that, two
// of N prefixes share a 64-bit key with a probability of N^2 / 2^65: 3e-8 at a million.)
//
// Every holder of a prefix is expected to hold all shorter ones. A holder that says otherwise damages only what the
// tree says about itself. Budgets of each holder and of the tree bound the memory. The tree refuses what does not fit;
// the holder's own mirror (cache_mirror.h) decides what to evict instead.
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
    // Prefixes, whoever holds them: at 16 bytes each. HolderSets::most_shared at the most.
    std::size_t prefixes = 16'000'000;
    // Prefixes a holder, unless set_budget says otherwise.
    std::size_t holder_budget = 2'000'000;
};

class HrTree {
public:
    // The secret is random and the process's own; see PrefixTable.
    explicit HrTree(std::uint64_t secret, TreeLimits limits = {}) : limits_(limits), table_(secret) {
        limits_.prefixes = std::min(limits_.prefixes, HolderSets::most_shared);
    }

    // Look prompts up below the root of their array (PrefixKey::root).

    // Limits how many prefixes a holder may hold. Prefixes that it already holds stay.
    void set_budget(HolderIndex holder, std::size_t prefixes);

    // Adds a prompt's levels to a holder, from the root on. Returns how many of them it now holds: fewer than given if
    // a budget was reached.
    std::size_t insert(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root = {});
    // The holder no longer holds this prefix, but still the shorter ones. The caller removes what continues the prefix
    // first. False if the holder did not hold it.
    // Requires: hashes is not empty.
    bool remove(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root = {});
    // Removes everything that the holder holds. Walks over the whole tree.
    void remove_holder(HolderIndex holder);

    // The same for one tree node at a time, for callers that keep keys. add is true also if the holder held it already.
    bool add(PrefixKey key, HolderIndex holder);
    bool remove(PrefixKey key, HolderIndex holder);
    bool holds(PrefixKey key, HolderIndex holder) const;

    // Replaces out by each holder of a part of the prompt and its depth, deepest first. Returns the greatest depth.
    std::uint32_t match(std::span<const ChunkHash> hashes, std::vector<Match>& out, PrefixKey root = {});

    // Of a holder: how many prefixes, and the sum of their keys modulo 2^64, by which two trees are compared.
    struct Content {
        std::size_t prefixes = 0;
        std::uint64_t key_sum = 0;
        bool operator==(const Content&) const = default;
    };
    Content content(HolderIndex holder) const;

    std::size_t prefixes() const { return table_.size(); }
    // Bytes held, as counted by the containers: of the tree, and of the lists of holders in it.
    std::size_t memory() const { return table_.memory() + holders_.capacity() * sizeof(Holder); }
    std::size_t holder_list_memory() const { return sets_.memory(); }

private:
    struct Holder {
        Content content;
        std::size_t budget = 0;
        std::uint64_t seen = 0;  // the last match in which it was listed
    };

    Holder& holder_at(HolderIndex holder);
    void compute_keys(std::span<const ChunkHash> hashes, PrefixKey root);
    // A level of keys_, and its set.
    struct Level {
        std::size_t index = 0;
        HolderSets::Id set = none;
    };
    static constexpr HolderSets::Id none = PrefixTable::absent;
    // The last level before `end` of which is_before(set) is true.
    // Requires: it is true up to some level, first or later, and false from there on, at `end` at the latest.
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
