// The writing end of the sync: what this model node tells its group about itself (docs/protocols/routing.md, "Sync").
//
// The publisher gathers changes until its owner asks for deltas, every 5 s or at once when urgent(). It keeps the last
// deltas, up to a bound, for peers that missed some. A peer that missed more gets a snapshot. The publisher makes a
// snapshot once and sends it to all peers that ask, as long as it keeps the deltas after it. Pure; not thread-safe.
#pragma once

#include <deque>
#include <unordered_map>

#include "routing/sync_messages.h"

namespace planetserve::routing {

struct PublisherLimits {
    std::size_t message_bytes = 64 * 1024;
    // The deltas that are kept for repairs.
    std::size_t kept_bytes = 1 << 20;
    // Beyond this the publisher drops the gathered changes, and all peers need a snapshot.
    std::size_t pending_bytes = 4 << 20;
    // A load factor is urgent if it is now this many times greater or smaller, or left or reached zero.
    double urgent_ratio = 1.5;
    // So is a wait until a new prompt's turn that changed by this ratio and also by this many seconds.
    double urgent_wait = 0.25;
    // Between two repairs for one peer, because repairs can be large.
    Duration repair_pause = 500ms;
};

class Publisher {
public:
    // The mirror must outlive the publisher. record() takes the changes of this mirror.
    Publisher(Incarnation incarnation, HashWidth width, const CacheMirror& mirror, PublisherLimits limits = {});

    void record(CacheMirror::Changes&& changes);
    void set_load(const LoadReport& load) { load_ = load; }
    void set_array(const ArrayStance& array);
    // Call it when the mirror was cleared. All peers then need a snapshot.
    void restart_log();
    // Whether the load has changed so much since the last delta that peers should know now.
    bool urgent() const;

    // What to send to every peer now. At least one delta, also if nothing changed, so that peers notice a lost one.
    std::vector<Bytes> deltas();
    // The answer to a peer's request. Empty if it asks too soon, for a later life, or for deltas that do not exist yet.
    // A request for an earlier life gets a snapshot.
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
