// Cloves to requests: which exchanges there are, and what they may hold.

#include "exchange/server.h"

#include <algorithm>

#include "exchange/server_session.h"

namespace planetserve::exchange {

namespace {

constexpr Duration sweep_interval = 1s;

Source source_of(const NodeId& proxy) { return Source{proxy.value}; }

}  // namespace

Server::Server(const NodeId& self, const crypto::AgreementKey& onion_key, ServerLimits limits,
               wire::FrameSender& sender, inference::Service& service, Random& random, const Clock& clock)
    : self_(self),
      onion_key_(onion_key),
      limits_(limits),
      sender_(sender),
      service_(service),
      random_(random),
      clock_(clock) {}

Server::~Server() = default;

void Server::on_clove(const NodeId& proxy, ByteView bytes) {
    auto envelope = parse_envelope(bytes);
    if (!envelope || envelope->kind == RecordKind::reply) {
        ++counters_.refused;
        return;
    }
    Session* session = find_or_open(ExchangeId{envelope->name.value}, proxy);
    if (session == nullptr || !make_room(*session, envelope->clove.size())) {
        ++counters_.refused;
        return;
    }
    const ExchangeId id = session->id;
    bool request = envelope->kind == RecordKind::request;
    if (request && session->complete) return;
    auto progress = (request ? session->request : session->control)
                        .add(source_of(proxy), envelope->clove, cloves_from(*session, proxy));
    count_assembly(*session);
    if (!progress) {
        ++counters_.refused;
        if (!session->verified && session->counted == session_cost) close(id, false);  // opened by nothing
        return;
    }
    counters_.corrupt += progress->corrupt.size();
    if (progress->opened) note_verified(*session);
    if (progress->opened && request) session->progress_at = clock_.now();
    for (const Bytes& record : progress->records) {
        if (request)
            on_request_record(*session, record);
        else
            on_control_record(*session, record);
        if (!sessions_.contains(id)) return;
    }
    count_assembly(*session);
}

// One for each lane that the asker said it has there, and one for a lane it may be about to name. Before the asker was
// heard, as many as a record has: several of its paths may end at one proxy where there are few relays.
std::size_t Server::cloves_from(const Session& session, const NodeId& proxy) {
    if (!session.head) return dispersal::maximum_cloves;
    auto lanes = std::ranges::count_if(session.lanes, [&](const auto& state) { return state.lane.proxy == proxy; });
    return std::max<std::size_t>(1, static_cast<std::size_t>(lanes));
}

Server::Session* Server::find_or_open(const ExchangeId& id, const NodeId& proxy) {
    auto found = sessions_.find(id);
    if (found != sessions_.end()) return found->second.get();
    if (closed_.contains(id)) return nullptr;
    auto keys = derive_keys(onion_key_, crypto::AgreementPublicKey{id.value}, id, onion_key_.public_key());
    if (!keys) return nullptr;
    if (auto counts = opened_by_.find(proxy); counts != opened_by_.end() &&
                                              (counts->second.all >= limits_.maximum_exchanges_of_proxy ||
                                               counts->second.unverified >= limits_.maximum_unverified_of_proxy) &&
                                              !evict_unverified(&proxy, nullptr))
        return nullptr;
    if (sessions_.size() >= limits_.maximum_exchanges && !evict_unverified(nullptr, nullptr)) return nullptr;
    if (next_sweep_ == Time{}) next_sweep_ = clock_.now() + sweep_interval;
    auto& session = sessions_[id] = std::make_unique<Session>(id, *keys, proxy, next_order_++, limits_.maximum_body);
    session->progress_at = clock_.now();
    auto& counts = opened_by_[proxy];
    ++counts.all;
    ++counts.unverified;
    unverified_.emplace(session->order, id);
    count_assembly(*session);
    return session.get();
}

void Server::note_verified(Session& session) {
    if (std::exchange(session.verified, true)) return;
    unverified_.erase({session.order, session.id});
    --opened_by_.at(session.opener).unverified;
}

bool Server::evict_unverified(const NodeId* proxy, const ExchangeId* except) {
    for (const auto& [order, id] : unverified_) {
        if (except != nullptr && id == *except) continue;
        if (proxy != nullptr && sessions_.at(id)->opener != *proxy) continue;
        ++counters_.evicted;
        close(ExchangeId(id), false);
        return true;
    }
    return false;
}

bool Server::make_room(const Session& session, std::size_t bytes) {
    while (assembly_bytes_ + bytes > limits_.maximum_assembly)
        if (!evict_unverified(nullptr, &session.id)) return false;
    return true;
}

void Server::count_assembly(Session& session) {
    assembly_bytes_ -= session.counted;
    session.counted = session.held_bytes();
    assembly_bytes_ += session.counted;
}

void Server::on_request_record(Session& session, ByteView record) {
    if (session.complete) return;
    const ExchangeId id = session.id;
    if (!take_items(session, record)) {
        ++counters_.refused;
        if (sessions_.contains(id) && !session.over_sent) close(id, false);
        return;
    }
    if (session.complete) start_run(session);
}

bool Server::take_items(Session& session, ByteView record) {
    auto items = parse_items(record);
    if (!items) return false;
    for (const Item& item : *items) {
        switch (item.kind) {
            case ItemKind::request_head: {
                auto head = parse_request_head(item.content);
                if (!head || session.head) return false;
                session.head = std::move(*head);
                set_lanes(session);
                if (session.head->body_size > limits_.maximum_body) {
                    refuse(session, {ErrorCode::invalid_argument,
                                     "the request has " + std::to_string(session.head->body_size) +
                                         " bytes; this model node takes " + std::to_string(limits_.maximum_body)});
                    return false;
                }
                break;
            }
            case ItemKind::body:
                if (!session.head || item.content.size() > session.head->body_size - session.body.size()) return false;
                append(session.body, item.content);
                break;
            case ItemKind::end:
                if (!session.head || session.body.size() != session.head->body_size) return false;
                session.complete = true;
                session.request.drop_held();
                break;
            default:
                return false;
        }
    }
    return true;
}

void Server::set_lanes(Session& session) {
    for (const Lane& lane : session.head->lanes) {
        session.lanes.push_back({lane});
        by_handle_[lane.handle] = session.id;
    }
    dispersal::Threshold threshold{static_cast<std::uint8_t>(session.lanes.size()), session.head->k};
    session.control.expect(threshold);
    session.reply.emplace(RecordKind::reply, session.keys.reply, threshold);
}

void Server::close(const ExchangeId& id, bool cancelled) {
    auto node = sessions_.extract(id);
    if (node.empty()) return;
    Session& session = *node.mapped();
    // One that was never verified did nothing that could be repeated.
    if (session.verified && closed_.size() < limits_.maximum_closed) closed_.emplace(id, clock_.now());
    note_verified(session);
    auto opened = opened_by_.find(session.opener);
    if (--opened->second.all == 0) opened_by_.erase(opened);
    assembly_bytes_ -= session.counted;
    for (auto& state : session.lanes) {
        auto handle = by_handle_.find(state.lane.handle);
        if (handle != by_handle_.end() && handle->second == id) by_handle_.erase(handle);
    }
    forwards_waiting_.erase(id);
    leave_run(session, cancelled);
}

void Server::on_timer() {
    Time now = clock_.now();
    if (now < next_timer()) return;
    next_sweep_ = now + sweep_interval;
    std::vector<std::pair<ExchangeId, bool>> closing;
    std::vector<ExchangeId> stalled;
    for (auto& [id, session] : sessions_) {
        if (session->forwarded) continue;
        if (session->complete) check_reader(*session, now, stalled);
        if (!session->complete) {
            if (now - session->progress_at >= limits_.request_deadline) closing.emplace_back(id, false);
        } else if (session->lanes_lost_at && now - *session->lanes_lost_at >= limits_.lanes_deadline) {
            closing.emplace_back(id, true);
        } else if (session->over_at && now - *session->over_at >= limits_.linger) {
            closing.emplace_back(id, false);
        } else if (!session->over_sent && now - session->sent_at >= limits_.heartbeat && !session->reply->full()) {
            Bytes heartbeat;
            append_item(heartbeat, ItemKind::heartbeat, {});
            send_record(*session, heartbeat);
        }
    }
    for (auto& [id, cancelled] : closing) close(id, cancelled);
    for (const ExchangeId& id : stalled)
        if (auto session = sessions_.find(id); session != sessions_.end()) give_up_reader(*session->second);
    check_forwards(now);
    drop_old_runs(now);
    std::erase_if(closed_, [&](const auto& item) { return now - item.second >= limits_.linger; });
    if (sessions_.empty() && runs_.empty() && closed_.empty()) next_sweep_ = Time{};
}

Time Server::next_timer() const { return next_sweep_ == Time{} ? Time::max() : next_sweep_; }

std::size_t Server::runs_active() const {
    return static_cast<std::size_t>(
        std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return !run.second.run->over(); }));
}

}  // namespace planetserve::exchange
