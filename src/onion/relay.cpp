#include "onion/relay.h"

#include <algorithm>
#include <utility>

#include "base/requires.h"

namespace planetserve::onion {

std::string_view to_string(DestroyReason reason) {
    switch (reason) {
        case DestroyReason::finished:
            return "finished";
        case DestroyReason::expired:
            return "expired";
        case DestroyReason::link_lost:
            return "a relay is gone";
        case DestroyReason::refused:
            return "a relay refused the set-up";
        case DestroyReason::full:
            return "a relay is full";
        case DestroyReason::protocol:
            return "cells were changed or lost on the way";
        case DestroyReason::timed_out:
            return "no answer in time";
    }
    return "unknown reason";
}

Relay::Relay(const NodeId& self, const crypto::AgreementKey& onion_key, RelayLimits limits, wire::FrameSender& sender,
             Random& random)
    : self_(self),
      onion_key_(onion_key),
      limits_(limits),
      sender_(sender),
      random_(random),
      admission_(limits.admission) {
    limits_.maximum_paths = std::min(limits.maximum_paths, std::size_t{1} << slot_bits);
}

Relay::Path* Relay::find(const Side& side) {
    auto slot = by_side_.find(hash(side), [&](Slot candidate) {
        const Path& path = paths_[candidate];
        return path.previous == side || (!path.last && path.next == side);
    });
    return slot ? &paths_[*slot] : nullptr;
}

const Relay::Path* Relay::find(PathNumber number) const {
    const std::size_t slot = number & ((PathNumber{1} << slot_bits) - 1);
    return slot < paths_.size() && paths_[slot].number == number ? &paths_[slot] : nullptr;
}

Relay::Path& Relay::keep(Path path) {
    if (free_.empty()) {
        free_.push_back(static_cast<Slot>(paths_.size()));
        paths_.emplace_back();
    }
    const Slot slot = free_.back();
    free_.pop_back();
    path.number = ++made_ << slot_bits | slot;
    by_side_.insert(hash(path.previous), slot);
    if (!path.last) by_side_.insert(hash(path.next), slot);
    ++built_by_peer_[path.previous.peer];
    next_expiry_ = std::min(next_expiry_, due(path));
    return paths_[slot] = std::move(path);
}

void Relay::on_setup(const NodeId& from, ByteView payload, const Now& now) {
    ByteReader reader(payload);
    auto id = PathId::from(reader.bytes(PathId::size));
    if (!id) return;
    Side previous{from, *id};
    if (find(previous) != nullptr) {
        ++counters_.setups_refused;  // the sender broke the protocol; the path of that id stays
        return;
    }
    if (auto accepted = accept_setup(previous, reader.rest(), now); accepted) {
        ++counters_.setups_accepted;
    } else {
        ++counters_.setups_refused;
        send_destroy(previous,
                     accepted.error().code == ErrorCode::exhausted ? DestroyReason::full : DestroyReason::refused);
    }
}

Status Relay::accept_setup(const Side& previous, ByteView packet, const Now& now) {
    // Bounds before public-key work.
    auto built = built_by_peer_.find(previous.peer);
    const std::size_t own = built == built_by_peer_.end() ? 0 : built->second;
    // No more than what is left for others: then N neighbours that take all they may leave an (N + 1)th of the table.
    if (own >= std::min(limits_.maximum_paths_per_peer, limits_.maximum_paths - paths()))
        return fail(ErrorCode::exhausted, "no room for another path");
    if (auto admitted = admission_.admit(previous.peer, now); !admitted) return admitted;
    auto setup = peel_setup(packet, self_, onion_key_);
    if (!setup) return std::unexpected(setup.error());
    if (!setup->last && (setup->next == self_ || setup->next == previous.peer))
        return fail(ErrorCode::invalid_argument, "a path that turns back");
    if (setup->last && endpoint_ == nullptr) return fail(ErrorCode::permission_denied, "this node is not a proxy");
    auto lifetime = std::chrono::minutes(setup->expiry + 1) - std::chrono::milliseconds(now.unix.milliseconds);
    if (lifetime <= 0ms || lifetime > limits_.maximum_lifetime + 2min)
        return fail(ErrorCode::invalid_argument, "a path that expired, or would live too long");
    if (!admission_.remember(previous.peer, {setup->expiry, setup->replay_tag}, now))
        return fail(ErrorCode::already_exists, "a replayed set-up");

    Path fresh{0, previous, {}, setup->last, setup->keys, 0, 0, now.time + lifetime, now.time};
    if (!fresh.last) {
        fresh.next = Side{setup->next, random_.id<PathId>()};
        auto sent = sender_.send(fresh.next.peer, wire::FrameType::path_setup, {fresh.next.id.bytes(), setup->packet});
        if (!sent) return sent;
    }
    const Path& path = keep(std::move(fresh));
    if (path.last) {
        EndpointId endpoint{path.number};
        endpoint_->on_path_up(endpoint);
        send_backward(endpoint, {Command::confirm}, {});
    }
    return {};
}

void Relay::on_cell(const NodeId& from, MutableByteView payload, Time now) {
    if (payload.size() != PathId::size + wire::cell_size) return;
    Side side{from, PathId::from(payload.first(PathId::size)).value()};
    Path* found = find(side);
    if (found == nullptr) {
        ++counters_.cells_refused;  // it may have been under way when the path was torn down
        return;
    }
    Path& path = *found;
    MutableByteView body = payload.subspan(PathId::size);
    if (side == path.previous) {
        path.heard = now;
        forward_cell(path, body, now);
        return;
    }
    crypto::stream_xor(path.keys.backward, path.backward_count++, body);
    ++counters_.cells_relayed;
    pass_on(path, Towards::builder, body);
}

bool Relay::pass_on(const Path& path, Towards towards, ByteView body) {
    const PathNumber number = path.number;
    const QueueKey key{number, towards};
    const Side& to = towards == Towards::builder ? path.previous : path.next;
    // Where others wait, it waits too: a link whose mark is passed again and again would never come to their turn.
    if (!queues_.waits_for(to.peer) && sender_.queued_bytes(to.peer) <= limits_.link_high_water) {
        if (sender_.send(to.peer, wire::FrameType::path_cell, {to.id.bytes(), body})) return true;
        remove(number, DestroyReason::full, Tell::both);
        return false;
    }
    const NodeId& from = towards == Towards::proxy || path.last ? path.previous.peer : path.next.peer;
    queues_.push(from, to.peer, key, to_bytes(body));
    if (queues_.cells(key) > limits_.maximum_queued_cells_per_path) {
        ++counters_.paths_evicted;
        remove(number, DestroyReason::full, Tell::both);
    }
    // Not this path, which may hold little, nor the longest of all, which one of many short ones would spare.
    while (queues_.cells() > limits_.maximum_queued_cells) {
        ++counters_.paths_evicted;
        remove(queues_.longest().path, DestroyReason::full, Tell::both);
    }
    return find(number) != nullptr;
}

void Relay::on_drained(const NodeId& peer) {
    auto room = [&] { return sender_.queued_bytes(peer) <= limits_.link_high_water; };
    auto send = [&](const QueueKey& key, ByteView body) {
        const Path* path = find(key.path);
        REQUIRES(path != nullptr);  // its queue went with it
        const Side& to = key.towards == Towards::builder ? path->previous : path->next;
        return sender_.send(peer, wire::FrameType::path_cell, {to.id.bytes(), body}).has_value();
    };
    for (const QueueKey& key : queues_.drain(peer, room, send)) remove(key.path, DestroyReason::full, Tell::both);
}

void Relay::forward_cell(Path& path, MutableByteView body, Time now) {
    if (!path.last) {
        crypto::stream_xor(path.keys.forward, path.forward_count++, body);
        ++counters_.cells_relayed;
        pass_on(path, Towards::proxy, body);
        return;
    }
    if (!open_cell(path.keys.forward, path.forward_count++, body)) {
        ++counters_.cells_refused;
        remove(path.number, DestroyReason::protocol, Tell::previous);
        return;
    }
    auto cell = read_inner(body);
    if (!cell) {
        remove(path.number, DestroyReason::protocol, Tell::previous);
        return;
    }
    endpoint_->on_path_cell(EndpointId{path.number}, *cell, now);
}

void Relay::on_destroy(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto id = PathId::from(reader.bytes(PathId::size));
    std::uint8_t reason = reader.u8();
    if (!id || !reader.finished()) return;
    const Side side{from, *id};
    const Path* path = find(side);
    if (path == nullptr) return;
    bool from_previous = path->previous == side;
    auto known = std::min(reason, static_cast<std::uint8_t>(DestroyReason::protocol));
    remove(path->number, static_cast<DestroyReason>(known), from_previous ? Tell::next : Tell::previous);
}

void Relay::on_link_down(const NodeId& peer) {
    std::vector<PathNumber> lost;
    for (const Path& path : paths_)
        if (path.number != 0 && (path.previous.peer == peer || (!path.last && path.next.peer == peer)))
            lost.push_back(path.number);
    std::ranges::sort(lost);
    for (PathNumber number : lost) {
        const Path* path = find(number);
        if (path == nullptr) continue;
        bool previous_lost = path->previous.peer == peer;
        remove(number, DestroyReason::link_lost, previous_lost ? Tell::next : Tell::previous);
    }
}

void Relay::on_timer(Time now) {
    if (now < next_expiry_) return;
    std::vector<std::pair<Time, PathNumber>> expired;
    next_expiry_ = Time::max();
    for (const Path& path : paths_) {
        if (path.number == 0) continue;
        if (due(path) > now) {
            next_expiry_ = std::min(next_expiry_, due(path));
            continue;
        }
        if (path.expires > now) ++counters_.paths_idle;
        expired.emplace_back(due(path), path.number);
    }
    std::ranges::sort(expired);
    for (auto [when, number] : expired) remove(number, DestroyReason::expired, Tell::both);
}

bool Relay::send_backward(EndpointId endpoint, const CellHead& head, std::initializer_list<ByteView> parts) {
    Path* found = find(static_cast<PathNumber>(endpoint));
    if (found == nullptr) return false;
    Path& path = *found;
    CellBody body;
    write_inner(body, head, parts);
    seal_cell(path.keys.backward, path.backward_count++, body);
    return pass_on(path, Towards::builder, body);
}

const NodeId& Relay::neighbour(EndpointId endpoint) const {
    const Path* path = find(static_cast<PathNumber>(endpoint));
    REQUIRES(path != nullptr);
    return path->previous.peer;
}

void Relay::close_path(EndpointId path, DestroyReason reason) {
    remove(static_cast<PathNumber>(path), reason, Tell::previous);
}

void Relay::send_destroy(const Side& to, DestroyReason reason) {
    std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(reason)};
    // When this cannot be sent the link is failing, and the neighbour learns of the path's end from that.
    (void)sender_.send(to.peer, wire::FrameType::path_destroy, {to.id.bytes(), code});
}

void Relay::remove(PathNumber number, DestroyReason reason, Tell tell) {
    Path* found = find(number);
    if (found == nullptr) return;
    const Path path = std::exchange(*found, Path{});
    const auto slot = static_cast<Slot>(found - paths_.data());
    free_.push_back(slot);
    by_side_.erase(hash(path.previous), slot);
    if (!path.last) by_side_.erase(hash(path.next), slot);
    auto built = built_by_peer_.find(path.previous.peer);
    if (built != built_by_peer_.end() && --built->second == 0) built_by_peer_.erase(built);
    queues_.drop({number, Towards::builder});
    queues_.drop({number, Towards::proxy});
    if (tell != Tell::next) send_destroy(path.previous, reason);
    if (tell != Tell::previous && !path.last) send_destroy(path.next, reason);
    if (path.last && endpoint_ != nullptr) endpoint_->on_path_down(EndpointId{number});
}

}  // namespace planetserve::onion
