// The reading end of the sync: applies what the other model nodes of the group send to this node's tree
// (docs/protocols/routing.md, "Sync").
//
//     empty --delta 1 or whole snapshot--> current --next delta--> current
//       ^                                    |  gap, or content that differs
//       |                                    v
//       +--leave, remove() (any state)--- repairing --the missing deltas, or whole snapshot--> current
//
// A message changes only what the tree says about its sender: the caller knows the sender by its link, and no message
// names another node. A peer's budget in the tree bounds its entries. Pure; not thread-safe.
#pragma once

#include <unordered_map>

#include "routing/sync_messages.h"

namespace planetserve::routing {

struct ReplicaTiming {
    // Pauses before the replica asks again for a repair that did not come; they double.
    Duration first_pause = 1s;
    Duration longest_pause = 5s;
};

// Applies a mirror's changes to the tree, in their order.
void apply_changes(HrTree& tree, HolderIndex holder, std::span<const PathChange> changes);

class Replica {
public:
    // The tree must outlive the replica.
    Replica(HrTree& tree, HashWidth width, ReplicaTiming timing = {}) : tree_(tree), width_(width), timing_(timing) {}

    struct Outcome {
        // The peer left, and its entries are gone.
        bool left = false;
        // The peer's new stance on the array.
        std::optional<ArrayStance> array{};
        // The message to send back to the peer.
        std::optional<Bytes> reply{};
        // The peer's repair request, for the publisher.
        std::optional<RepairRequest> request{};
    };
    // An error means that the peer broke the protocol; then nothing has changed.
    Result<Outcome> on_message(HolderIndex from, ByteView message, Time now);
    // The repair request to send to this peer, if one is due.
    std::optional<Bytes> on_timer(HolderIndex peer, Time now);
    // Forgets a peer that has left the list, with its entries.
    void remove(HolderIndex peer);

    // Empty before the first delta of this life, even if a snapshot came.
    std::optional<LoadReport> load(HolderIndex peer) const;
    // Empty before the first delta or snapshot part of this life.
    std::optional<Time> heard_at(HolderIndex peer) const;
    bool is_current(HolderIndex peer) const;

private:
    struct Peer {
        Incarnation incarnation = 0;
        // The tree has every delta up to this one.
        Sequence applied = 0;
        bool needs_snapshot = false;
        // The latest delta that we know of.
        Sequence latest = 0;
        LoadReport load;
        Sequence load_sequence = 0;
        Time heard_at;
        // The snapshot of which parts have arrived, and which of them.
        Sequence snapshot = 0;
        std::vector<bool> parts;
        std::optional<Time> asked_at;
        Duration pause{};
    };

    bool behind(const Peer& peer) const { return peer.needs_snapshot || peer.applied < peer.latest; }
    void begin_life(HolderIndex from, Peer& peer, Incarnation incarnation);
    void on_delta(HolderIndex from, Peer& peer, const Delta& delta);
    void on_part(HolderIndex from, Peer& peer, const SnapshotPart& part);
    std::optional<Bytes> ask(Peer& peer, Time now);

    HrTree& tree_;
    HashWidth width_;
    ReplicaTiming timing_;
    std::unordered_map<HolderIndex, Peer> peers_;
};

}  // namespace planetserve::routing
