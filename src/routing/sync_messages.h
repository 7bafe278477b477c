// What model nodes of a group send each other about their caches and load (docs/protocols/routing.md, "Sync").
//
// Every message speaks of its sender alone; who that is, the link knows. Integers are big-endian.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "routing/array_agreement.h"
#include "routing/cache_mirror.h"
#include "routing/hr_tree.h"
#include "routing/load.h"

namespace planetserve::routing {

// One life of a sender: greater after each restart, as the time of its start is, or a number that is kept on disk.
// Peers ignore a lesser one until they have dropped the sender.
using Incarnation = std::uint64_t;
// Counts a sender's deltas from 1.
using Sequence = std::uint64_t;

inline constexpr std::size_t maximum_sync_message = 256 * 1024;
inline constexpr std::size_t maximum_snapshot_parts = 256;

// What became different since the delta before.
struct Delta {
    Incarnation incarnation = 0;
    Sequence sequence = 0;
    LoadReport load;
    // What the sender holds after this delta; absent when more deltas of the same moment follow.
    std::optional<HrTree::Content> content;
    // What the sender says of the chunk-length array; absent where it was told before.
    std::optional<ArrayStance> array;
    std::vector<PathChange> changes;

    bool operator==(const Delta&) const = default;
};

// A part of all that the sender holds, as insertions; parts may be applied in any order.
struct SnapshotPart {
    Incarnation incarnation = 0;
    // The deltas up to this one are in it.
    Sequence sequence = 0;
    std::uint16_t part = 0;
    std::uint16_t parts = 1;
    HrTree::Content content;
    std::optional<ArrayStance> array;
    std::vector<PathChange> changes;

    bool operator==(const SnapshotPart&) const = default;
};

// Asks a peer for what is missing.
struct RepairRequest {
    Incarnation incarnation = 0;
    // The first delta that is missing; 0: a snapshot is wanted, whatever deltas there are.
    Sequence from = 0;
    // With from = 0, of a snapshot that came in part: which, and its first missing part.
    Sequence snapshot = 0;
    std::uint16_t part = 0;

    bool operator==(const RepairRequest&) const = default;
};

// The sender leaves the group in order.
struct Leave {
    Incarnation incarnation = 0;

    bool operator==(const Leave&) const = default;
};

using SyncMessage = std::variant<Delta, SnapshotPart, RepairRequest, Leave>;

// Hashes are written with the group's width.
Bytes encode(const SyncMessage& message, HashWidth width);
// Refuses what another width was written with, and what is longer than maximum_sync_message.
Result<SyncMessage> parse_sync_message(ByteView bytes, HashWidth width);

// What a change takes in a message, and what all else of a delta or part takes at most.
std::size_t encoded_size(const PathChange& change, HashWidth width);
inline constexpr std::size_t sync_overhead = 512;

}  // namespace planetserve::routing
