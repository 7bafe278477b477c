// How a group comes to one chunk-length array (docs/protocols/routing.md, "Agreeing on an array").
//
// Each member stands for one array and tells the others with its deltas. The group's array is the one for which more
// than half of the members stand. A member whose sentry wants another array stands for the best supported of the
// announced ones that its sentry could have proposed too, so small differences go away, and one member cannot make the
// others take an array that does not fit their own traffic. Pure; not thread-safe.
#pragma once

#include <map>
#include <optional>

#include "routing/chunking.h"
#include "routing/holder_sets.h"

namespace planetserve::routing {

class ArrayAgreement {
public:
    // The tolerance is how far apart two members' boundaries for the same common part may be, in bytes.
    explicit ArrayAgreement(ChunkLengths initial, std::uint32_t tolerance = 16)
        : current_(std::move(initial)), tolerance_(tolerance) {}

    // What a member stands for, as it came with its delta. REQUIRES: valid (parse_sync_message sees to it).
    void on_announcement(HolderIndex member, const ChunkLengths& array) { announced_[member] = array; }
    void remove(HolderIndex member) { announced_.erase(member); }
    // What this node's sentry proposes; nothing when it is content.
    void set_proposal(std::optional<ChunkLengths> proposal) { proposal_ = std::move(proposal); }

    // The array this node stands for now, to be told to the others.
    ChunkLengths standing() const;
    // The new array when the group has changed to one. `members` counts the group, this node included.
    std::optional<ChunkLengths> update(std::size_t members);

    const ChunkLengths& current() const { return current_; }

private:
    bool similar(const ChunkLengths& array) const;

    ChunkLengths current_;
    std::uint32_t tolerance_;
    std::optional<ChunkLengths> proposal_;
    std::map<HolderIndex, ChunkLengths> announced_;
};

}  // namespace planetserve::routing
