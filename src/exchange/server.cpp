#include "exchange/server.h"

#include <algorithm>

namespace planetserve::exchange {

namespace {

constexpr Duration sweep_interval = 1s;

}  // namespace

struct Server::Session {
    Session(const ExchangeId& own_id, const ExchangeKeys& own_keys)
        : id(own_id),
          keys(own_keys),
          request(RecordKind::request, keys.request),
          control(RecordKind::control, keys.control, Order::as_complete) {}

    struct LaneState {
        Lane lane;
        bool up = true;
        bool missed = false;  // cloves were not sent because the proxy's link was full
    };

    ExchangeId id;
    ExchangeKeys keys;
    RecordReceiver request;
    RecordReceiver control;
    Time heard_at{};
    std::optional<RequestHead> head;
    Bytes body;
    bool complete = false;

    std::vector<LaneState> lanes;
    std::optional<RecordSender> reply;
    std::optional<IdempotencyId> run;
    bool head_sent = false;
    bool over_sent = false;
    std::uint64_t sent_bytes = 0;
    std::uint64_t consumed_bytes = 0;
    Time sent_at{};
    std::optional<Time> lanes_lost_at;
    std::optional<Time> over_at;
};

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
    Session* session = find_or_open(ExchangeId{envelope->name.value});
    if (session == nullptr) {
        ++counters_.refused;
        return;
    }
    const ExchangeId id = session->id;
    session->heard_at = clock_.now();
    bool request = envelope->kind == RecordKind::request;
    auto progress = (request ? session->request : session->control)
                        .add(Source{proxy.value}, envelope->clove, dispersal::maximum_cloves);
    if (!progress) {
        ++counters_.refused;
        return;
    }
    for (const Bytes& record : progress->records) {
        if (request)
            on_request_record(*session, record);
        else
            on_control_record(*session, record);
        if (!sessions_.contains(id)) return;
    }
}

Server::Session* Server::find_or_open(const ExchangeId& id) {
    auto found = sessions_.find(id);
    if (found != sessions_.end()) return found->second.get();
    if (sessions_.size() >= limits_.maximum_exchanges || closed_.contains(id)) return nullptr;
    auto keys = derive_keys(onion_key_, crypto::AgreementPublicKey{id.value}, id, onion_key_.public_key());
    if (!keys) return nullptr;
    if (next_sweep_ == Time{}) next_sweep_ = clock_.now() + sweep_interval;
    auto& session = sessions_[id] = std::make_unique<Session>(id, *keys);
    return session.get();
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
                for (const Lane& lane : session.head->lanes) {
                    session.lanes.push_back({lane});
                    by_handle_[lane.handle] = session.id;
                }
                dispersal::Threshold threshold{static_cast<std::uint8_t>(session.lanes.size()), session.head->k};
                session.reply.emplace(RecordKind::reply, session.keys.reply, threshold);
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
                break;
            default:
                return false;
        }
    }
    return true;
}

void Server::start_run(Session& session) {
    ++counters_.requests;
    Bytes accepted;
    append_item(accepted, ItemKind::accepted, {});
    send_record(session, accepted);
    const IdempotencyId id = session.head->id;
    auto kept = runs_.find(id);
    // A run that failed is tried again once everyone who waited for it has been told.
    if (kept != runs_.end() && kept->second.run->error() && kept->second.askers.empty()) {
        runs_.erase(kept);
        kept = runs_.end();
    }
    if (kept != runs_.end()) {
        if (!kept->second.run->replayable())
            return refuse(session, {ErrorCode::already_exists,
                                    "this request ran already, and its reply was too long to be kept for a retry"});
        ++counters_.joined;
        return attach(session, id);
    }
    inference::Request request{id,
                               session.head->method,
                               session.head->path,
                               session.head->content_type,
                               session.head->model,
                               std::move(session.body)};
    session.body = {};
    auto& run = runs_[id];
    run.run = std::make_unique<Run>(id, limits_.maximum_kept_reply, static_cast<RunEvents&>(*this));
    session.run = id;
    run.askers.insert(session.id);
    run.run->start(service_, std::move(request));
    on_run_progress(id);
}

void Server::attach(Session& session, const IdempotencyId& id) {
    session.run = id;
    session.body = {};
    runs_.at(id).askers.insert(session.id);
    pump(session);
}

void Server::on_run_progress(const IdempotencyId& id) {
    auto found = runs_.find(id);
    if (found == runs_.end()) return;
    KeptRun& kept = found->second;
    if (kept.run->over() && !kept.over_at) {
        kept.over_at = clock_.now();
        // A run that failed is not kept: a retry is meant to try again.
        if (kept.run->error())
            runs_to_drop_.push_back(id);
        else
            runs_over_.emplace(*kept.over_at, id);
        kept_bytes_ += kept.run->kept_bytes();
    }
    std::vector<ExchangeId> askers(kept.askers.begin(), kept.askers.end());
    for (const ExchangeId& asker : askers) {
        auto session = sessions_.find(asker);
        if (session != sessions_.end()) pump(*session->second);
    }
}

void Server::pump(Session& session) {
    if (!session.run || session.over_sent) return;
    const Run& run = *runs_.at(*session.run).run;
    while (!session.over_sent && !session.reply->full()) {
        Bytes record;
        if (!session.head_sent && run.head()) {
            append_item(record, ItemKind::reply_head, encode(*run.head()));
            session.head_sent = true;
        }
        std::uint64_t window = session.consumed_bytes + inference::reply_window;
        std::size_t room = maximum_record - record.size() - 3 * item_header_size;
        std::size_t allowed =
            static_cast<std::size_t>(std::min<std::uint64_t>(room, window - std::min(window, session.sent_bytes)));
        ByteView body = session.head_sent ? run.body(session.sent_bytes, allowed) : ByteView{};
        if (!body.empty()) {
            append_item(record, ItemKind::body, body);
            session.sent_bytes += body.size();
        }
        bool all_sent = session.sent_bytes == run.body_size();
        if (run.error() && all_sent && record.size() + 8192 < maximum_record) {
            append_item(record, ItemKind::error, encode(*run.error()));
            session.over_sent = true;
        } else if (run.ended() && all_sent) {
            append_item(record, ItemKind::end, {});
            session.over_sent = true;
        }
        if (record.empty()) return;
        if (session.over_sent) session.over_at = clock_.now();
        send_record(session, record);
    }
}

void Server::send_record(Session& session, ByteView record) {
    const auto& cloves = session.reply->add(record, random_);
    session.sent_at = clock_.now();
    for (std::size_t i = 0; i < session.lanes.size(); ++i) send_clove(session, i, cloves[i]);
    note_lanes(session);
}

void Server::send_clove(Session& session, std::size_t index, ByteView clove) {
    auto& state = session.lanes[index];
    if (!state.up || state.missed) return;
    Bytes envelope = seal_envelope(RecordKind::reply, self_.bytes(), clove);
    auto sent = sender_.send(state.lane.proxy, wire::FrameType::clove_reply, {state.lane.handle.bytes(), envelope});
    if (sent) return;
    if (sent.error().code == ErrorCode::exhausted)
        state.missed = true;
    else
        state.up = false;
}

void Server::resend_lane(Session& session, std::size_t index) {
    session.lanes[index].missed = false;
    session.reply->resend(index, [&](const Bytes& clove) { send_clove(session, index, clove); });
}

void Server::note_lanes(Session& session) {
    bool any_up = std::any_of(session.lanes.begin(), session.lanes.end(), [](const auto& state) { return state.up; });
    if (any_up || session.lanes.empty())
        session.lanes_lost_at.reset();
    else if (!session.lanes_lost_at)
        session.lanes_lost_at = clock_.now();
}

void Server::refuse(Session& session, Error error) {
    ++counters_.refused;
    Bytes record;
    append_item(record, ItemKind::error, encode(error));
    session.over_sent = true;
    session.complete = true;
    session.over_at = clock_.now();
    session.body = {};
    send_record(session, record);
}

void Server::on_control_record(Session& session, ByteView record) {
    auto items = parse_items(record);
    if (!items || items->size() != 1 || items->front().kind != ItemKind::control || !session.reply) return;
    auto control = parse_control(items->front().content);
    if (!control) return;
    if (control->cancel) return close(session.id, true);
    session.reply->acknowledge(std::min(control->records, session.reply->next()));
    session.consumed_bytes = std::max(session.consumed_bytes, std::min(control->consumed, session.sent_bytes));
    for (const LaneChange& change : control->changes) {
        if (change.index >= session.lanes.size()) continue;
        auto& state = session.lanes[change.index];
        by_handle_.erase(state.lane.handle);
        state = {change.lane, true};
        by_handle_[change.lane.handle] = session.id;
        resend_lane(session, change.index);
    }
    note_lanes(session);
    const ExchangeId id = session.id;
    if (session.run) report_progress(*session.run);
    auto still = sessions_.find(id);
    if (still == sessions_.end()) return;
    pump(*still->second);
    if (still->second->over_sent && still->second->reply->unacknowledged() == 0) close(id, false);
}

void Server::report_progress(const IdempotencyId& id) {
    auto found = runs_.find(id);
    if (found == runs_.end() || found->second.askers.empty()) return;
    std::uint64_t slowest = ~std::uint64_t{0};
    for (const ExchangeId& asker : found->second.askers)
        slowest = std::min(slowest, sessions_.at(asker)->consumed_bytes);
    found->second.run->progress(slowest);
}

void Server::on_reply_closed(const NodeId& proxy, ByteView bytes) {
    auto handle = ReplyHandle::from(bytes);
    auto found = handle ? by_handle_.find(*handle) : by_handle_.end();
    if (found == by_handle_.end()) return;
    Session& session = *sessions_.at(found->second);
    for (auto& state : session.lanes)
        if (state.lane == Lane{proxy, *handle}) state.up = false;
    note_lanes(session);
}

void Server::on_link_down(const NodeId& peer) {
    for (auto& [id, session] : sessions_) {
        for (auto& state : session->lanes)
            if (state.lane.proxy == peer) state.up = false;
        note_lanes(*session);
    }
}

void Server::on_drained(const NodeId& peer) {
    for (auto& [id, session] : sessions_)
        for (std::size_t i = 0; i < session->lanes.size(); ++i)
            if (session->lanes[i].missed && session->lanes[i].lane.proxy == peer) resend_lane(*session, i);
}

void Server::close(const ExchangeId& id, bool cancelled) {
    auto node = sessions_.extract(id);
    if (node.empty()) return;
    if (closed_.size() < limits_.maximum_closed) closed_.emplace(id, clock_.now());
    Session& session = *node.mapped();
    for (auto& state : session.lanes) {
        auto handle = by_handle_.find(state.lane.handle);
        if (handle != by_handle_.end() && handle->second == id) by_handle_.erase(handle);
    }
    if (!session.run) return;
    auto run = runs_.find(*session.run);
    if (run == runs_.end()) return;
    run->second.askers.erase(id);
    if (cancelled && run->second.askers.empty() && !run->second.run->over()) {
        ++counters_.cancelled;
        runs_.erase(run);  // stops the engine; a later retry runs anew
    }
}

void Server::on_timer() {
    Time now = clock_.now();
    if (now < next_timer()) return;
    next_sweep_ = now + sweep_interval;
    std::vector<std::pair<ExchangeId, bool>> closing;
    std::vector<Session*> assembling;
    std::size_t assembly = 0;
    for (auto& [id, session] : sessions_) {
        if (!session->complete) {
            assembly += session->body.size() + session->request.held_bytes();
            if (assembly > limits_.maximum_assembly || now - session->heard_at >= limits_.request_deadline)
                closing.emplace_back(id, false);
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
    drop_old_runs(now);
    std::erase_if(closed_, [&](const auto& item) { return now - item.second >= limits_.linger; });
    if (sessions_.empty() && runs_.empty() && closed_.empty()) next_sweep_ = Time{};
}

void Server::drop_old_runs(Time now) {
    auto drop = [&](const IdempotencyId& id) {
        auto run = runs_.find(id);
        if (run == runs_.end()) return true;
        if (!run->second.askers.empty()) return false;
        kept_bytes_ -= std::min(kept_bytes_, run->second.run->kept_bytes());
        runs_.erase(run);
        return true;
    };
    std::erase_if(runs_to_drop_, drop);
    for (auto oldest = runs_over_.begin(); oldest != runs_over_.end();) {
        bool old = now - oldest->first >= limits_.keep_replies || kept_bytes_ > limits_.maximum_kept_replies;
        if (!old) break;
        oldest = drop(oldest->second) ? runs_over_.erase(oldest) : std::next(oldest);
    }
}

Time Server::next_timer() const { return next_sweep_ == Time{} ? Time::max() : next_sweep_; }

std::size_t Server::runs_active() const {
    return static_cast<std::size_t>(
        std::count_if(runs_.begin(), runs_.end(), [](const auto& run) { return !run.second.run->over(); }));
}

}  // namespace planetserve::exchange
