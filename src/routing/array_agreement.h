// How a group comes to one chunk-length array (docs/protocols/routing.md, "Agreeing on an array").
//
// Each member votes: it tells where common parts end by its own sentry. A boundary that more than half of the members
// vote for belongs in the array. Who sees that the current array lacks one stands for a new array of those boundaries,
// and tells it; the group's array is the one for which more than half of the members stand. So one hostile member can
// lend its vote to what others found, and move a boundary by the tolerance, no more.
// Pure; not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "routing/chunking.h"
#include "routing/holder_sets.h"

namespace planetserve::routing {

// Where common parts end, ascending.
using BoundaryVotes = std::vector<std::uint32_t>;
inline constexpr std::size_t maximum_votes = ChunkLengths::largest_count / 2;

// What a member tells: the array for which it stands, and its votes.
struct ArrayStance {
    ChunkLengths array;
    BoundaryVotes votes{};

    bool operator==(const ArrayStance&) const = default;
};

struct AgreementParameters {
    // How far apart members' votes for one boundary may be, in bytes.
    std::uint32_t tolerance = 16;
    // delta: the short chunk after a boundary, which holds the first difference.
    std::uint32_t separator = 32;
    // Sync periods from a change to the next that this node stands for: each leaves the tree of the one before behind.
    std::uint32_t pause = 24;
};

class ArrayAgreement {
public:
    explicit ArrayAgreement(ChunkLengths initial, AgreementParameters parameters = {});

    // As it came with a member's delta. REQUIRES: valid (parse_sync_message sees to it).
    void on_stance(HolderIndex member, ArrayStance stance) { others_[member] = std::move(stance); }
    void remove(HolderIndex member) { others_.erase(member); }
    // A sync period is over; what this node's sentry finds by now, and whether it has seen enough to say that a
    // boundary is gone: else this node votes for those of the current array, too. `members` counts the group, this node
    // included.
    void on_period(BoundaryVotes found, bool seen_enough, std::size_t members);

    // To be told to the others.
    const ArrayStance& stance() const { return own_; }
    // The new array when the group has changed to one.
    std::optional<ChunkLengths> update(std::size_t members);

    const ChunkLengths& current() const { return current_; }

private:
    void vote();
    BoundaryVotes elected(std::size_t members) const;
    std::optional<ChunkLengths> wanted(std::size_t members) const;
    bool similar(const ChunkLengths& array, const ChunkLengths& to) const;

    AgreementParameters parameters_;
    ChunkLengths current_;
    std::uint32_t periods_;  // since the last change
    BoundaryVotes found_;
    bool seen_enough_ = false;
    ArrayStance own_;
    std::map<HolderIndex, ArrayStance> others_;
};

}  // namespace planetserve::routing
