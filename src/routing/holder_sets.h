// Sets of model nodes. Most prefixes have the same holders as the prefix before them, so each distinct set is stored
// once and a tree node has only its number. A set of one member takes no memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_set>
#include <vector>

namespace planetserve::routing {

// A model node's number in its group. The owner of the tree assigns it.
using HolderIndex = std::uint16_t;

// Each returned id is one use of the set. with(), without() and release() end the use of the id that they are given.
class HolderSets {
public:
    // Below 2^24, as long as at most most_shared sets of several members are in use.
    using Id = std::uint32_t;
    // One less than there are such ids, because with() needs the new set before it releases the old one.
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

    // The set plus or minus a holder. REQUIRES: for with(), the holder is absent; for without(), it is present and not
    // the only member.
    Id with(Id set, HolderIndex holder);
    Id without(Id set, HolderIndex holder);
    void release(Id set);
    void clear();

    // The number of sets of more than one member.
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

    // REQUIRES: the set is not single.
    std::span<const HolderIndex> members(Id set) const { return sets_[set - first_shared].members; }
    Id intern();

    std::vector<Set> sets_;
    std::vector<Id> free_;
    std::unordered_set<Id, MembersHash, MembersEqual> by_members_;
    std::vector<HolderIndex> scratch_;
};

}  // namespace planetserve::routing
