// How a group agrees on one chunk-length array (docs/protocols/routing.md, "Agreeing on an array").
//
// Each member votes for the ends of common parts that its own sentry found. A boundary with the votes of more than half
// of the members is elected. If the current array lacks an elected boundary, or half of its own boundaries are voted
// out, a member stands for a new array of the elected boundaries and tells the others. The group's array is the one for
// which more than half of the members stand. So a hostile member can only add its vote to what others found, and move a
// boundary by the tolerance. Pure; not thread-safe.
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

// What a member tells the others: the array for which it stands, and its votes.
struct ArrayStance {
    ChunkLengths array;
    BoundaryVotes votes{};

    bool operator==(const ArrayStance&) const = default;
};

struct AgreementParameters {
    // How far apart votes for one boundary may be, in bytes.
    std::uint32_t tolerance = 16;
    // delta: the length of the short chunk after a boundary, in bytes. That chunk has the first difference.
    std::uint32_t separator = 32;
    // Sync periods after a change before this node stands for the next one. Changes should be rare, since each leaves
    // the tree of the former array behind.
    std::uint32_t pause = 24;
};

class ArrayAgreement {
public:
    explicit ArrayAgreement(ChunkLengths initial, AgreementParameters parameters = {});

    // A member's new stance. REQUIRES: it is valid; parse_sync_message checks that.
    void on_stance(HolderIndex member, ArrayStance stance) { others_[member] = std::move(stance); }
    void remove(HolderIndex member) { others_.erase(member); }
    // A sync period is over. found: the boundaries that this node's sentry found. seen_enough: whether the sentry has
    // seen enough prompts to say that a boundary is gone; if not, this node also votes for those of the current array.
    // members: the size of the group, with this node.
    void on_period(BoundaryVotes found, bool seen_enough, std::size_t members);

    // What to tell the others.
    const ArrayStance& stance() const { return own_; }
    // Changes to the group's array. Returns it if it is a new one.
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
