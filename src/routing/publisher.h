// The writing end of the sync: what this model node tells its group about itself (docs/protocols/routing.md, "Sync").
//
// Changes gather until the owner of the clock asks for deltas, every 5 s or at once when `urgent` says so. The last
// deltas are kept, up to a bound, for peers that missed some; who missed more gets a snapshot, which is made once and
// serves all who ask while the deltas after it are still kept. Pure; not thread-safe.
#pragma once

#include <deque>
#include <unordered_map>

#include "routing/sync_messages.h"

namespace planetserve::routing {

struct PublisherLimits {
    std::size_t message_bytes = 64 * 1024;
    // Deltas kept for repair.
    std::size_t kept_bytes = 1 << 20;
    // Changes that gather before they are given up for a snapshot.
    std::size_t pending_bytes = 4 << 20;
    // A load factor that became this many times greater or smaller, or left or reached zero, is urgent.
    double urgent_ratio = 1.5;
    // So is a time until a new prompt's turn that became so much greater or smaller and differs by this many seconds.
    double urgent_wait = 0.25;
    // Between two repairs of one peer, which may be large.
    Duration repair_pause = 500ms;
};

class Publisher {
public:
    // The mirror outlives the publisher and is the one whose changes are recorded.
    Publisher(Incarnation incarnation, HashWidth width, const CacheMirror& mirror, PublisherLimits limits = {});

    void record(CacheMirror::Changes&& changes);
    void set_load(const LoadReport& load) { load_ = load; }
    void set_array(const ArrayStance& array);
    // The mirror was cleared.
    void restart_log();
    // Whether the load differs so much from what was told that peers should know now.
    bool urgent() const;

    // What to send to every peer now: at least one delta, also when nothing changed, so that a lost one is noticed.
    std::vector<Bytes> deltas();
    // What to send to the peer that asks. Empty when it asks for another life, for what it has, or too often.
    std::vector<Bytes> repair(HolderIndex peer, const RepairRequest& request, Time now);
    Bytes leave() const { return encode(Leave{incarnation_}, width_); }

    Sequence sequence() const { return sequence_; }
    std::size_t kept_bytes() const { return kept_bytes_; }

private:
    struct Kept {
        Sequence sequence = 0;
        Bytes bytes;
    };

    HrTree::Content content() const { return {mirror_.entries(), mirror_.key_sum()}; }
    void keep(Sequence sequence, const Bytes& bytes);
    bool keeps_from(Sequence sequence) const;
    void make_snapshot();

    Incarnation incarnation_;
    HashWidth width_;
    const CacheMirror& mirror_;
    PublisherLimits limits_;
    LoadReport load_;
    LoadReport told_;
    std::optional<ArrayStance> array_;
    bool array_is_news_ = false;
    CacheMirror::Changes pending_;
    std::size_t pending_bytes_ = 0;
    Sequence sequence_ = 0;
    std::deque<Kept> kept_;
    std::size_t kept_bytes_ = 0;
    Sequence snapshot_sequence_ = 0;
    std::vector<Bytes> snapshot_;
    std::unordered_map<HolderIndex, Time> repaired_at_;
};

}  // namespace planetserve::routing
