#include "onion/relay.h"

#include <algorithm>

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
      admission_(limits.admission) {}

void Relay::on_setup(const NodeId& from, ByteView payload, Time now, UnixTime unix_now) {
    ByteReader reader(payload);
    auto id = PathId::from(reader.bytes(PathId::size));
    if (!id) return;
    Side previous{from, *id};
    if (by_side_.contains(previous)) {
        ++counters_.setups_refused;  // the path of that id goes on; the sender broke the protocol
        return;
    }
    if (auto accepted = accept_setup(previous, reader.rest(), now, unix_now); accepted) {
        ++counters_.setups_accepted;
    } else {
        ++counters_.setups_refused;
        send_destroy(previous,
                     accepted.error().code == ErrorCode::exhausted ? DestroyReason::full : DestroyReason::refused);
    }
}

Status Relay::accept_setup(const Side& previous, ByteView packet, Time now, UnixTime unix_now) {
    // Bounds before public-key work.
    auto built = built_by_peer_.find(previous.peer);
    if (paths_.size() >= limits_.maximum_paths ||
        (built != built_by_peer_.end() && built->second >= limits_.maximum_paths_per_peer))
        return fail(ErrorCode::exhausted, "no room for another path");
    if (auto admitted = admission_.admit(previous.peer, now, unix_now); !admitted) return admitted;
    auto setup = peel_setup(packet, self_, onion_key_);
    if (!setup) return std::unexpected(setup.error());
    if (!setup->last && (setup->next == self_ || setup->next == previous.peer))
        return fail(ErrorCode::invalid_argument, "a path that turns back");
    if (setup->last && endpoint_ == nullptr) return fail(ErrorCode::permission_denied, "this node is not a proxy");
    auto lifetime = std::chrono::minutes(setup->expiry + 1) - std::chrono::milliseconds(unix_now.milliseconds);
    if (lifetime <= 0ms || lifetime > limits_.maximum_lifetime + 2min)
        return fail(ErrorCode::invalid_argument, "a path that expired, or would live too long");
    if (!admission_.remember(previous.peer, setup->expiry, setup->replay_tag))
        return fail(ErrorCode::already_exists, "a replayed set-up");

    PathNumber number = next_number_++;
    Path fresh{number, previous, {}, setup->last, setup->keys, 0, 0, now + lifetime};
    if (!fresh.last) {
        fresh.next = Side{setup->next, random_.id<PathId>()};
        auto sent = sender_.send(fresh.next.peer, wire::FrameType::path_setup, {fresh.next.id.bytes(), setup->packet});
        if (!sent) return sent;
    }
    Path& path = paths_.emplace(number, std::move(fresh)).first->second;
    if (!path.last) {
        by_side_.emplace(path.next, &path);
        by_peer_[path.next.peer].insert(number);
    }
    by_side_.emplace(previous, &path);
    by_peer_[previous.peer].insert(number);
    ++built_by_peer_[previous.peer];
    by_expiry_.emplace(path.expires, number);
    if (path.last) {
        EndpointId endpoint{number};
        endpoint_->on_path_up(endpoint);
        send_backward(endpoint, Command::confirm, false, 0, {});
    }
    return {};
}

void Relay::on_cell(const NodeId& from, MutableByteView payload, Time now) {
    if (payload.size() != PathId::size + wire::cell_size) return;
    Side side{from, PathId::from(payload.first(PathId::size)).value()};
    auto found = by_side_.find(side);
    if (found == by_side_.end()) {
        ++counters_.cells_refused;  // cells still under way when a path is torn down are no one's fault
        return;
    }
    Path& path = *found->second;
    MutableByteView body = payload.subspan(PathId::size);
    if (side == path.previous) {
        forward_cell(path, body, now);
        return;
    }
    crypto::stream_xor(path.keys.backward, path.backward_count++, body);
    ++counters_.cells_relayed;
    auto sent = sender_.send(path.previous.peer, wire::FrameType::path_cell, {path.previous.id.bytes(), body});
    if (!sent) remove(path.number, DestroyReason::full, true, true);
}

void Relay::forward_cell(Path& path, MutableByteView body, Time now) {
    if (!path.last) {
        crypto::stream_xor(path.keys.forward, path.forward_count++, body);
        ++counters_.cells_relayed;
        auto sent = sender_.send(path.next.peer, wire::FrameType::path_cell, {path.next.id.bytes(), body});
        if (!sent) remove(path.number, DestroyReason::full, true, true);
        return;
    }
    if (!open_cell(path.keys.forward, path.forward_count++, body)) {
        ++counters_.cells_refused;
        remove(path.number, DestroyReason::protocol, true, false);
        return;
    }
    auto cell = read_inner(body);
    if (!cell) {
        remove(path.number, DestroyReason::protocol, true, false);
        return;
    }
    endpoint_->on_path_cell(EndpointId{path.number}, *cell, now);
}

void Relay::on_destroy(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto id = PathId::from(reader.bytes(PathId::size));
    std::uint8_t reason = reader.u8();
    if (!id || !reader.finished()) return;
    auto found = by_side_.find(Side{from, *id});
    if (found == by_side_.end()) return;
    const Path& path = *found->second;
    bool from_previous = path.previous == found->first;
    auto known = std::min(reason, static_cast<std::uint8_t>(DestroyReason::protocol));
    remove(path.number, static_cast<DestroyReason>(known), !from_previous, from_previous);
}

void Relay::on_link_down(const NodeId& peer) {
    auto found = by_peer_.find(peer);
    if (found == by_peer_.end()) return;
    std::vector<PathNumber> lost(found->second.begin(), found->second.end());
    std::sort(lost.begin(), lost.end());
    for (PathNumber number : lost) {
        auto path = paths_.find(number);
        if (path == paths_.end()) continue;
        bool previous_lost = path->second.previous.peer == peer;
        remove(number, DestroyReason::link_lost, !previous_lost, previous_lost);
    }
}

void Relay::on_timer(Time now) {
    while (!by_expiry_.empty() && by_expiry_.begin()->first <= now)
        remove(by_expiry_.begin()->second, DestroyReason::expired, true, true);
}

Time Relay::next_timer() const { return by_expiry_.empty() ? Time::max() : by_expiry_.begin()->first; }

bool Relay::send_backward(EndpointId endpoint, Command command, bool first, StreamId stream,
                          std::initializer_list<ByteView> parts) {
    auto found = paths_.find(static_cast<PathNumber>(endpoint));
    if (found == paths_.end()) return false;
    Path& path = found->second;
    CellBody body;
    write_inner(body, command, first, stream, parts);
    seal_cell(path.keys.backward, path.backward_count++, body);
    if (sender_.send(path.previous.peer, wire::FrameType::path_cell, {path.previous.id.bytes(), body})) return true;
    remove(found->first, DestroyReason::full, true, false);
    return false;
}

void Relay::close_path(EndpointId path, DestroyReason reason) {
    remove(static_cast<PathNumber>(path), reason, true, false);
}

void Relay::send_destroy(const Side& to, DestroyReason reason) {
    std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(reason)};
    // When this cannot be sent the link is failing, and the neighbour learns of the path's end from that.
    (void)sender_.send(to.peer, wire::FrameType::path_destroy, {to.id.bytes(), code});
}

void Relay::remove(PathNumber number, DestroyReason reason, bool tell_previous, bool tell_next) {
    auto found = paths_.find(number);
    if (found == paths_.end()) return;
    Path path = std::move(found->second);
    paths_.erase(found);
    auto forget = [&](const Side& side) {
        by_side_.erase(side);
        auto peer = by_peer_.find(side.peer);
        if (peer == by_peer_.end()) return;
        peer->second.erase(number);
        if (peer->second.empty()) by_peer_.erase(peer);
    };
    forget(path.previous);
    if (!path.last) forget(path.next);
    auto built = built_by_peer_.find(path.previous.peer);
    if (built != built_by_peer_.end() && --built->second == 0) built_by_peer_.erase(built);
    by_expiry_.erase({path.expires, number});
    if (tell_previous) send_destroy(path.previous, reason);
    if (tell_next && !path.last) send_destroy(path.next, reason);
    if (path.last && endpoint_ != nullptr) endpoint_->on_path_down(EndpointId{number});
}

}  // namespace planetserve::onion
