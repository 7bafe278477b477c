// What model nodes of a group tell each other about their caches and load (docs/protocols/routing.md, "Sync").
//
// A message is about its sender alone, and the link says who that is. Integers are big-endian.
#pragma once

#include <optional>
#include <variant>
#include <vector>

#include "routing/array_agreement.h"
#include "routing/cache_mirror.h"
#include "routing/hr_tree.h"
#include "routing/load.h"

namespace planetserve::routing {

// One life of a sender. It must grow with each restart, as the time of the start does. Peers ignore a lesser one until
// they drop the sender.
using Incarnation = std::uint64_t;
// The number of a sender's delta, from 1.
using Sequence = std::uint64_t;

inline constexpr std::size_t maximum_sync_message = 256 * 1024;
inline constexpr std::size_t maximum_snapshot_parts = 256;

// What changed since the previous delta.
struct Delta {
    Incarnation incarnation = 0;
    Sequence sequence = 0;
    LoadReport load;
    // What the sender holds after this delta. Empty if more deltas of the same moment follow.
    std::optional<HrTree::Content> content;
    // The sender's stance on the chunk-length array. Empty if it has not changed.
    std::optional<ArrayStance> array;
    std::vector<PathChange> changes;

    bool operator==(const Delta&) const = default;
};

// A part of all that the sender holds, as insertions. A reader may apply parts in any order.
struct SnapshotPart {
    Incarnation incarnation = 0;
    // The snapshot includes the deltas up to this one.
    Sequence sequence = 0;
    std::uint16_t part = 0;
    std::uint16_t parts = 1;
    HrTree::Content content;
    std::optional<ArrayStance> array;
    std::vector<PathChange> changes;

    bool operator==(const SnapshotPart&) const = default;
};

// Asks a peer for missing deltas or a snapshot.
struct RepairRequest {
    Incarnation incarnation = 0;
    // The first missing delta. 0 asks for a snapshot, whatever deltas the peer keeps.
    Sequence from = 0;
    // With from = 0, to resume a snapshot that arrived in part: its sequence, and its first missing part.
    Sequence snapshot = 0;
    std::uint16_t part = 0;

    bool operator==(const RepairRequest&) const = default;
};

// The sender leaves the group.
struct Leave {
    Incarnation incarnation = 0;

    bool operator==(const Leave&) const = default;
};

using SyncMessage = std::variant<Delta, SnapshotPart, RepairRequest, Leave>;

// Writes hashes with the group's width.
Bytes encode(const SyncMessage& message, HashWidth width);
// Refuses a message of another width, and one longer than maximum_sync_message.
Result<SyncMessage> parse_sync_message(ByteView bytes, HashWidth width);

// The bytes of a change in a message, and the most bytes of all else in a delta or part.
std::size_t encoded_size(const PathChange& change, HashWidth width);
inline constexpr std::size_t sync_overhead = 512;

}  // namespace planetserve::routing
