#include "exchange/session_table.h"

#include "base/requires.h"

namespace planetserve::exchange {

Session* SessionTable::find(const ExchangeId& id) const {
    auto found = sessions_.find(id);
    return found == sessions_.end() ? nullptr : found->second.get();
}

Session* SessionTable::find(const ReplyHandle& handle) const {
    auto found = by_handle_.find(handle);
    return found == by_handle_.end() ? nullptr : find(found->second);
}

Session* SessionTable::open(const ExchangeId& id, const ExchangeKeys& keys, const NodeId& opener, Time now) {
    REQUIRES(!sessions_.contains(id));
    if (full_for(opener) && !evict(&opener, nullptr)) return nullptr;
    if (sessions_.size() >= limits_.maximum_exchanges && !evict(nullptr, nullptr)) return nullptr;
    auto& session = sessions_[id] = std::make_unique<Session>(id, keys, opener, next_order_++, limits_.maximum_body);
    session->progress_at = now;
    auto& counts = opened_by_[opener];
    ++counts.all;
    ++counts.unverified;
    unverified_.emplace(session->order, id);
    count(*session);
    return session.get();
}

bool SessionTable::full_for(const NodeId& opener) const {
    auto counts = opened_by_.find(opener);
    return counts != opened_by_.end() && (counts->second.all >= limits_.maximum_exchanges_of_proxy ||
                                          counts->second.unverified >= limits_.maximum_unverified_of_proxy);
}

bool SessionTable::evict(const NodeId* proxy, const ExchangeId* except) {
    for (const auto& [order, id] : unverified_) {
        if (except != nullptr && id == *except) continue;
        if (proxy != nullptr && sessions_.at(id)->opener != *proxy) continue;
        ++counters_.evicted;
        remove(ExchangeId(id));
        return true;
    }
    return false;
}

std::unique_ptr<Session> SessionTable::close(const ExchangeId& id, Time now) {
    auto session = remove(id);
    // An exchange that was never verified did nothing that could be repeated.
    if (session && session->verified && closed_.size() < limits_.maximum_closed) closed_.emplace(id, now);
    return session;
}

std::unique_ptr<Session> SessionTable::remove(const ExchangeId& id) {
    auto node = sessions_.extract(id);
    if (node.empty()) return nullptr;
    Session& session = *node.mapped();
    auto opened = opened_by_.find(session.opener);
    if (unverified_.erase({session.order, id}) > 0) --opened->second.unverified;
    if (--opened->second.all == 0) opened_by_.erase(opened);
    assembly_bytes_ -= session.counted;
    for (const Session::LaneState& state : session.lanes) unindex(session, state.lane);
    return std::move(node.mapped());
}

void SessionTable::unindex(const Session& session, const Lane& lane) {
    // Another exchange may have named the same handle.
    auto handle = by_handle_.find(lane.handle);
    if (handle != by_handle_.end() && handle->second == session.id) by_handle_.erase(handle);
}

void SessionTable::forget_closed(Time now) {
    std::erase_if(closed_, [&](const auto& item) { return now - item.second >= limits_.linger; });
}

void SessionTable::note_verified(Session& session) {
    if (std::exchange(session.verified, true)) return;
    unverified_.erase({session.order, session.id});
    --opened_by_.at(session.opener).unverified;
}

bool SessionTable::make_room(const Session& session, std::size_t bytes) {
    while (assembly_bytes_ + bytes > limits_.maximum_assembly)
        if (!evict(nullptr, &session.id)) return false;
    return true;
}

void SessionTable::count(Session& session) {
    assembly_bytes_ -= session.counted;
    session.counted = session.held_bytes();
    assembly_bytes_ += session.counted;
}

void SessionTable::index_lanes(const Session& session) {
    for (const Session::LaneState& state : session.lanes) by_handle_[state.lane.handle] = session.id;
}

void SessionTable::replace_lane(Session& session, std::size_t index, const Lane& lane) {
    REQUIRES(index < session.lanes.size());
    unindex(session, session.lanes[index].lane);
    session.lanes[index] = {.lane = lane, .heard = session.heard_of(lane.proxy)};
    by_handle_[lane.handle] = session.id;
}

}  // namespace planetserve::exchange
