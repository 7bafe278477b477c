#include "routing/replica.h"

#include <algorithm>

namespace planetserve::routing {

void apply_changes(HrTree& tree, HolderIndex holder, std::span<const PathChange> changes) {
    std::vector<PrefixKey> keys;
    for (const PathChange& change : changes) {
        keys.clear();
        PrefixKey key = change.parent;
        for (ChunkHash hash : change.hashes) keys.push_back(key = key.child(hash));
        if (change.kind == PathChange::Kind::insert)
            for (PrefixKey added : keys) {
                if (!tree.add(added, holder)) break;
            }
        else
            for (std::size_t i = keys.size(); i > 0; --i) tree.remove(keys[i - 1], holder);
    }
}

void Replica::begin_life(HolderIndex from, Peer& peer, Incarnation incarnation) {
    tree_.remove_holder(from);
    peer = {};
    peer.incarnation = incarnation;
}

void Replica::on_delta(HolderIndex from, Peer& peer, const Delta& delta) {
    if (delta.sequence > peer.load_sequence) {
        peer.load = delta.load;
        peer.load_sequence = delta.sequence;
    }
    peer.latest = std::max(peer.latest, delta.sequence);
    if (peer.needs_snapshot || delta.sequence != peer.applied + 1) return;
    apply_changes(tree_, from, delta.changes);
    peer.applied = delta.sequence;
    if (delta.content && *delta.content != tree_.content(from)) peer.needs_snapshot = true;
}

void Replica::on_part(HolderIndex from, Peer& peer, const SnapshotPart& part) {
    peer.latest = std::max(peer.latest, part.sequence);
    // Ignore a part that nobody needs or that came late. But a wrong state may be replaced by an older one.
    if (!behind(peer) || part.sequence < peer.snapshot) return;
    if (!peer.needs_snapshot && part.sequence <= peer.applied) return;
    if (part.sequence != peer.snapshot || part.parts != peer.parts.size()) {
        tree_.remove_holder(from);
        peer.needs_snapshot = true;
        peer.snapshot = part.sequence;
        peer.parts.assign(part.parts, false);
    }
    if (peer.parts[part.part]) return;
    peer.parts[part.part] = true;
    apply_changes(tree_, from, part.changes);
    if (std::ranges::find(peer.parts, false) != peer.parts.end()) return;
    peer.applied = part.sequence;
    peer.snapshot = 0;
    peer.parts.clear();
    peer.needs_snapshot = part.content != tree_.content(from);
}

Result<Replica::Outcome> Replica::on_message(HolderIndex from, ByteView bytes, Time now) {
    auto message = parse_sync_message(bytes, width_);
    if (!message) return std::unexpected(message.error());
    Outcome outcome;
    if (auto* request = std::get_if<RepairRequest>(&*message)) {
        outcome.request = *request;
        return outcome;
    }
    auto [found, first] = peers_.try_emplace(from);
    Peer& peer = found->second;
    Incarnation incarnation = std::visit([](const auto& any) { return any.incarnation; }, *message);
    if (incarnation < peer.incarnation) return outcome;
    if (first || incarnation > peer.incarnation) begin_life(from, peer, incarnation);
    peer.heard_at = now;
    if (std::holds_alternative<Leave>(*message)) {
        // Messages of this life that are still on their way are now too old.
        begin_life(from, peer, incarnation + 1);
        outcome.left = true;
        return outcome;
    }
    if (auto* delta = std::get_if<Delta>(&*message)) {
        on_delta(from, peer, *delta);
        outcome.array = std::move(delta->array);
    } else {
        auto& part = std::get<SnapshotPart>(*message);
        on_part(from, peer, part);
        outcome.array = std::move(part.array);
    }
    if (behind(peer)) {
        outcome.reply = ask(peer, now);
    } else {
        peer.asked_at.reset();
        peer.pause = {};
    }
    return outcome;
}

std::optional<Bytes> Replica::ask(Peer& peer, Time now) {
    if (peer.asked_at && now < *peer.asked_at + peer.pause) return std::nullopt;
    peer.pause = peer.asked_at ? std::min(peer.pause * 2, timing_.longest_pause) : timing_.first_pause;
    peer.asked_at = now;
    RepairRequest request{peer.incarnation, peer.applied + 1, 0, 0};
    if (peer.needs_snapshot) {
        request.from = 0;
        request.snapshot = peer.snapshot;
        auto missing = std::ranges::find(peer.parts, false);
        request.part = static_cast<std::uint16_t>(missing - peer.parts.begin());
    }
    return encode(request, width_);
}

std::optional<Bytes> Replica::on_timer(HolderIndex peer, Time now) {
    auto found = peers_.find(peer);
    if (found == peers_.end() || !behind(found->second)) return std::nullopt;
    return ask(found->second, now);
}

void Replica::remove(HolderIndex peer) {
    tree_.remove_holder(peer);
    peers_.erase(peer);
}

std::optional<LoadReport> Replica::load(HolderIndex peer) const {
    auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.load_sequence == 0) return std::nullopt;
    return found->second.load;
}

std::optional<Time> Replica::heard_at(HolderIndex peer) const {
    auto found = peers_.find(peer);
    if (found == peers_.end() || found->second.latest == 0) return std::nullopt;
    return found->second.heard_at;
}

bool Replica::is_current(HolderIndex peer) const {
    auto found = peers_.find(peer);
    return found != peers_.end() && found->second.applied > 0 && !behind(found->second);
}

}  // namespace planetserve::routing
