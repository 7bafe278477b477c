// The reading end of the sync: what the other model nodes of the group hold, in this node's tree
// (docs/protocols/routing.md, "Sync").
//
//     empty --delta 1 or whole snapshot--> current --next delta--> current
//       ^                                    |  gap, or content that differs
//       |                                    v
//       +--leave, link lost for good----- repairing --the missing deltas, or whole snapshot--> current
//
// What a peer says changes what the tree says about that peer and nothing else: the caller names the peer by its link,
// and no message names another. A peer's entries are bounded by its budget in the tree. Pure; not thread-safe.
#pragma once

#include <unordered_map>

#include "routing/sync_messages.h"

namespace planetserve::routing {

struct ReplicaTiming {
    // A repair that is asked for and does not come is asked for again, with growing pauses.
    Duration first_pause = 1s;
    Duration longest_pause = 5s;
};

// Carries out on the tree what a mirror says became different, in its order.
void apply_changes(HrTree& tree, HolderIndex holder, std::span<const PathChange> changes);

class Replica {
public:
    // The tree outlives the replica.
    Replica(HrTree& tree, HashWidth width, ReplicaTiming timing = {}) : tree_(tree), width_(width), timing_(timing) {}

    struct Outcome {
        // The peer left, its entries are gone.
        bool left = false;
        // What the peer says of the array now.
        std::optional<ArrayStance> array{};
        // To be sent back to the peer.
        std::optional<Bytes> reply{};
        // A repair request of the peer's, for the publisher.
        std::optional<RepairRequest> request{};
    };
    // An error says that the peer broke the protocol; nothing was changed.
    Result<Outcome> on_message(HolderIndex from, ByteView message, Time now);
    // The request to send to a peer whose repair is due, if any.
    std::optional<Bytes> on_timer(HolderIndex peer, Time now);
    // The peer is gone: its list entry expired, or its link is lost for good. Its entries go with it.
    void remove(HolderIndex peer);

    // Nothing before the peer's first message.
    std::optional<LoadReport> load(HolderIndex peer) const;
    std::optional<Time> heard_at(HolderIndex peer) const;
    bool is_current(HolderIndex peer) const;

private:
    struct Peer {
        Incarnation incarnation = 0;
        // Every delta up to this one is in the tree.
        Sequence applied = 0;
        bool needs_snapshot = false;
        // The latest of which we know.
        Sequence latest = 0;
        LoadReport load;
        Sequence load_sequence = 0;
        Time heard_at;
        // The snapshot that is coming in.
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
