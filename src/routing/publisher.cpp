#include "routing/publisher.h"

#include <algorithm>
#include <cmath>

namespace planetserve::routing {

Publisher::Publisher(Incarnation incarnation, HashWidth width, const CacheMirror& mirror, PublisherLimits limits)
    : incarnation_(incarnation), width_(width), mirror_(mirror), limits_(limits) {
    limits_.message_bytes = std::min(limits_.message_bytes, maximum_sync_message);
}

void Publisher::record(CacheMirror::Changes&& changes) {
    for (PathChange& change : changes) {
        pending_bytes_ += encoded_size(change, width_);
        pending_.push_back(std::move(change));
    }
    if (pending_bytes_ > limits_.pending_bytes) restart_log();
}

void Publisher::set_array(const ArrayStance& array) {
    array_is_news_ |= array_ != array;
    array_ = array;
}

// Skips a sequence number, so every peer sees a gap that only a snapshot closes.
void Publisher::restart_log() {
    pending_.clear();
    pending_bytes_ = 0;
    ++sequence_;
    kept_.clear();
    kept_bytes_ = 0;
    snapshot_.clear();
}

bool Publisher::urgent() const {
    auto differs = [&](double now, double told) {
        return std::max(now, told) > std::min(now, told) * limits_.urgent_ratio;
    };
    const double waiting = load_.waiting_seconds();
    return differs(load_.factor(), told_.factor()) ||
           (std::abs(waiting - told_.waiting_seconds()) > limits_.urgent_wait &&
            differs(waiting, told_.waiting_seconds()));
}

void Publisher::keep(Sequence sequence, const Bytes& bytes) {
    kept_bytes_ += bytes.size();
    kept_.push_back({sequence, bytes});
    while (kept_bytes_ > limits_.kept_bytes && kept_.size() > 1) {
        kept_bytes_ -= kept_.front().bytes.size();
        kept_.pop_front();
    }
}

std::vector<Bytes> Publisher::deltas() {
    std::vector<Bytes> messages;
    std::size_t next = 0;
    const std::size_t room = limits_.message_bytes - std::min(limits_.message_bytes / 2, sync_overhead);
    do {
        Delta delta{.incarnation = incarnation_,
                    .sequence = ++sequence_,
                    .load = load_,
                    .content = {},
                    .array = {},
                    .changes = {}};
        if (array_is_news_) delta.array = array_;
        array_is_news_ = false;
        for (std::size_t bytes = 0; next < pending_.size() && delta.changes.size() < 0xffff; ++next) {
            bytes += encoded_size(pending_[next], width_);
            if (bytes > room && !delta.changes.empty()) break;
            delta.changes.push_back(std::move(pending_[next]));
        }
        if (next == pending_.size()) delta.content = content();
        messages.push_back(encode(delta, width_));
        keep(sequence_, messages.back());
    } while (next < pending_.size());
    pending_.clear();
    pending_bytes_ = 0;
    told_ = load_;
    return messages;
}

bool Publisher::keeps_from(Sequence sequence) const {
    return sequence == sequence_ + 1 || (!kept_.empty() && kept_.front().sequence <= sequence && sequence <= sequence_);
}

// The snapshot already includes the pending changes. Peers apply them again with the next delta, which does no harm.
void Publisher::make_snapshot() {
    std::vector<SnapshotPart> parts(1);
    std::size_t bytes = 0;
    const std::size_t room = limits_.message_bytes - std::min(limits_.message_bytes / 2, sync_overhead);
    mirror_.snapshot([&](PathChange&& run) {
        bytes += encoded_size(run, width_);
        if ((bytes > room || parts.back().changes.size() == 0xffff) && !parts.back().changes.empty()) {
            if (parts.size() == maximum_snapshot_parts) return;
            parts.emplace_back();
            bytes = encoded_size(run, width_);
        }
        parts.back().changes.push_back(std::move(run));
    });
    snapshot_.clear();
    snapshot_sequence_ = sequence_;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        SnapshotPart& part = parts[i];
        part.incarnation = incarnation_;
        part.sequence = sequence_;
        part.part = static_cast<std::uint16_t>(i);
        part.parts = static_cast<std::uint16_t>(parts.size());
        part.content = content();
        part.array = array_;
        snapshot_.push_back(encode(part, width_));
    }
}

std::vector<Bytes> Publisher::repair(HolderIndex peer, const RepairRequest& request, Time now) {
    std::vector<Bytes> messages;
    const bool earlier = request.incarnation < incarnation_;
    if (request.incarnation > incarnation_ || (!earlier && request.from > sequence_)) return messages;
    auto [last, first] = repaired_at_.try_emplace(peer, now);
    if (!first && now < last->second + limits_.repair_pause) return messages;
    last->second = now;
    Sequence from = earlier ? 0 : request.from;
    if (from == 0 || !keeps_from(from)) {
        if (snapshot_.empty() || !keeps_from(snapshot_sequence_ + 1)) make_snapshot();
        std::size_t part = request.snapshot == snapshot_sequence_ && request.part < snapshot_.size() ? request.part : 0;
        messages.assign(snapshot_.begin() + static_cast<std::ptrdiff_t>(part), snapshot_.end());
        from = snapshot_sequence_ + 1;
    }
    for (const Kept& kept : kept_)
        if (kept.sequence >= from) messages.push_back(kept.bytes);
    return messages;
}

}  // namespace planetserve::routing
