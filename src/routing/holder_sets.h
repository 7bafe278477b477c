// Sets of model nodes; each distinct set is stored once. The holders of a prefix are mostly those of the prefix before
// it, so a tree node needs only a number. A set of one takes no memory.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace planetserve::routing {

// A model node's place in its group, as the owner of the tree numbers them.
using HolderIndex = std::uint16_t;

// Each returned id counts as a use of the set. End the use by passing the id to with() or without(), or by release().
class HolderSets {
public:
    // Below 2^24, as long as no more than so many sets of several members are in use.
    using Id = std::uint32_t;
    // One less than there are ids: with() has the new set before it gives up the old one.
    static constexpr std::size_t most_shared = (1 << 24) - (1 << 16) - 1;

    HolderSets() : by_members_(16, MembersHash{this}, MembersEqual{this}) {}
    HolderSets(const HolderSets&) = delete;
    HolderSets& operator=(const HolderSets&) = delete;

    static Id single(HolderIndex holder) { return holder; }
    static bool is_single(Id set) { return set < first_shared; }
    bool contains(Id set, HolderIndex holder) const;
    // Calls visit(holder) for each member in ascending order.
    template <typename Visit>
    void for_each(Id set, Visit&& visit) const {
        if (is_single(set)) return visit(static_cast<HolderIndex>(set));
        for (HolderIndex holder : members(set)) visit(holder);
    }

    // The set with a holder more or less; ends the use of the given set.
    // Requires: with: the holder is absent; without: it is present and not alone.
    Id with(Id set, HolderIndex holder);
    Id without(Id set, HolderIndex holder);
    void release(Id set);
    void clear();

    // Sets of more than one member.
    std::size_t shared() const { return by_members_.size(); }
    std::size_t memory() const;

private:
    static constexpr Id first_shared = 1 << 16;
    struct Set {
        std::vector<HolderIndex> members;
        std::uint32_t uses = 0;
    };
    struct MembersHash {
        using is_transparent = void;
        const HolderSets* sets;
        std::size_t operator()(std::span<const HolderIndex> members) const;
        std::size_t operator()(Id set) const { return (*this)(sets->members(set)); }
    };
    struct MembersEqual {
        using is_transparent = void;
        const HolderSets* sets;
        bool operator()(Id a, Id b) const { return a == b; }
        bool operator()(std::span<const HolderIndex> a, Id b) const { return equal(a, sets->members(b)); }
        bool operator()(Id a, std::span<const HolderIndex> b) const { return equal(sets->members(a), b); }
        static bool equal(std::span<const HolderIndex> a, std::span<const HolderIndex> b);
    };

    // Requires: not single.
    std::span<const HolderIndex> members(Id set) const { return sets_[set - first_shared].members; }
    Id intern();

    std::vector<Set> sets_;
    std::vector<Id> free_;
    std::unordered_set<Id, MembersHash, MembersEqual> by_members_;
    std::vector<HolderIndex> scratch_;
};

}  // namespace planetserve::routing
