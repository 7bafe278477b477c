#include "exchange/model_side.h"

namespace planetserve::exchange {

namespace {

// Deadlines are checked this often; all of them are longer.
constexpr Duration sweep_interval = 1s;

Source source_of(const NodeId& proxy) { return Source{proxy.value}; }

}  // namespace

ModelSide::ModelSide(const NodeId& self, const crypto::AgreementKey& onion_key, const ModelSideLimits& limits,
                     wire::FrameSender& sender, inference::Service& service, Random& random, RunEvents& owner)
    : onion_key_(onion_key),
      limits_(limits),
      sessions_(limits, counters_),
      runs_(limits, service, counters_, owner),
      forwards_(self, limits, sender, counters_),
      opens_({limits.opens_per_second, limits.opens_burst}),
      pump_(self, limits, sender, random) {}

void ModelSide::on_clove(const NodeId& proxy, ByteView bytes, Time now) {
    auto envelope = parse_envelope(bytes);
    if (!envelope || envelope->kind == RecordKind::reply) {
        ++counters_.refused;
        return;
    }
    Session* session = find_or_open(ExchangeId{envelope->name.value}, proxy, now);
    if (session == nullptr || !sessions_.make_room(*session, envelope->clove.size())) {
        ++counters_.refused;
        return;
    }
    const ExchangeId id = session->id;
    const bool request = envelope->kind == RecordKind::request;
    for (std::size_t lane : session->note_heard(proxy))
        if (session->lanes[lane].missed_from && !session->away()) pump_.resend_lane(*session, lane);
    if (request && session->whole()) return;
    auto progress = (request ? session->request : session->control)
                        .add(source_of(proxy), envelope->clove, session->cloves_from(proxy));
    sessions_.count(*session);
    if (!progress) {
        ++counters_.refused;
        // Nothing opened this session.
        if (!session->verified && session->counted == Session::own_cost) close(id, Ending::finished, now);
        return;
    }
    counters_.corrupt += progress->corrupt.size();
    if (progress->opened) sessions_.note_verified(*session);
    if (progress->opened && request) session->progress_at = now;
    if (!request) return on_control_records(id, progress->records, now);
    const bool head_known = session->head.has_value();
    for (const Bytes& record : progress->records) {
        on_request_record(*session, record, now);
        if (sessions_.find(id) == nullptr) return;
    }
    sessions_.count(*session);
    // Control records may have overtaken the head.
    if (!head_known && session->head) on_control_records(id, session->control.catch_up().records, now);
}

void ModelSide::on_control_records(const ExchangeId& id, const std::vector<Bytes>& records, Time now) {
    for (const Bytes& record : records)
        if (Session* session = sessions_.find(id)) on_control_record(*session, record, now);
    if (Session* session = sessions_.find(id)) sessions_.count(*session);
}

Session* ModelSide::find_or_open(const ExchangeId& id, const NodeId& opener, Time now) {
    if (Session* known = sessions_.find(id)) return known;
    if (sessions_.closed(id)) return nullptr;
    if (next_sweep_ == Time{}) next_sweep_ = now + sweep_interval;
    if (!opens_.take(opener, now)) return nullptr;
    auto keys = derive_keys(onion_key_, crypto::AgreementPublicKey{id.value}, id, onion_key_.public_key());
    if (!keys) return nullptr;
    return sessions_.open(id, *keys, opener, now);
}

void ModelSide::on_request_record(Session& session, ByteView record, Time now) {
    if (session.whole()) return;
    const bool head_known = session.head.has_value();
    const auto taken = session.take(record, limits_.maximum_body);
    if (!head_known && session.head) sessions_.index_lanes(session);
    switch (taken) {
        case Session::Taken::more:
            return;
        case Session::Taken::complete:
            return on_complete(session, now);
        case Session::Taken::malformed:
            ++counters_.refused;
            return close(session.id, Ending::finished, now);
        case Session::Taken::too_large:
            ++counters_.refused;
            return refuse(session,
                          {ErrorCode::invalid_argument, "the request has " + std::to_string(session.head->body_size) +
                                                            " bytes; this model node takes " +
                                                            std::to_string(limits_.maximum_body)},
                          now);
    }
}

void ModelSide::on_complete(Session& session, Time now) {
    auto ask = check_owner(*session.head, session.body, session.id);
    if (!ask) return refuse(session, ask.error(), now);
    session.ask = *ask;
    serve(session, now);
}

void ModelSide::serve(Session& session, Time now) {
    const RunId id = session.ask->run;
    // A request whose run is here already joins it.
    if (runs_.find(id) == nullptr && forwards_.offer(session, now)) return;
    forwards_.forget(session.id);
    ++counters_.requests;
    session.phase = SessionPhase::replying;
    pump_.send(session, ItemKind::accepted, now);
    runs_.forget_failed(id);
    if (const Run* run = runs_.find(id)) {
        if (run->digest() != session.ask->digest)
            return refuse(session, {ErrorCode::already_exists, "another request ran under this idempotency id before"},
                          now);
        if (!run->replayable())
            return refuse(session,
                          {ErrorCode::already_exists,
                           "this request ran already, and its reply was too long to be kept for a retry"},
                          now);
        ++counters_.joined;
        session.run = id;
        session.drop_body();
        runs_.join(id, session.id);
        return pump(session, now);
    }
    session.run = id;
    runs_.start(*session.ask, session.take_request(), session.id);
    on_run_progress(id, now);
}

void ModelSide::refuse(Session& session, const Error& error, Time now) {
    ++counters_.refused;
    session.drop_body();
    session.request.drop_held();
    pump_.end_with(session, error, now);
}

void ModelSide::on_run_progress(const RunId& run, Time now) {
    for (const ExchangeId& reader : runs_.on_progress(run, now))
        if (Session* session = sessions_.find(reader)) pump(*session, now);
}

void ModelSide::pump(Session& session, Time now) {
    if (session.run && !session.over()) pump_.pump(session, *runs_.find(*session.run), now);
}

void ModelSide::on_control_record(Session& session, ByteView record, Time now) {
    auto items = parse_items(record);
    if (!items || items->size() != 1 || items->front().kind != ItemKind::control || !session.reply) return;
    auto control = parse_control(items->front().content);
    if (!control) return;
    if (session.away()) return pass_control(session, *control, record, now);
    const ExchangeId id = session.id;
    if (control->cancel) return close(id, Ending::cancelled, now);
    pump_.acknowledge(session, *control);
    for (const LaneChange& change : control->changes)
        if (change.index < session.lanes.size()) change_lane(session, change, now);
    pump_.note_lanes(session, now);
    if (session.run) runs_.consumed(*session.run, id, session.consumed_bytes);
    pump(session, now);
    if (session.over() && session.reply->unacknowledged() == 0) close(id, Ending::finished, now);
}

void ModelSide::change_lane(Session& session, const LaneChange& change, Time now) {
    const Session::LaneState& state = session.lanes[change.index];
    if (state.lane == change.lane && state.up) return;  // it was told before
    const auto changed_at = state.changed_at;
    if (changed_at && now - *changed_at < limits_.lane_change_interval) {
        session.lanes[change.index].next = change.lane;
        return;
    }
    sessions_.replace_lane(session, change.index, change.lane);
    session.lanes[change.index].changed_at = now;
    pump_.resend_lane(session, change.index);
}

void ModelSide::on_reply_closed(const NodeId& proxy, ByteView bytes, Time now) {
    auto handle = ReplyHandle::from(bytes);
    Session* session = handle ? sessions_.find(*handle) : nullptr;
    if (session == nullptr) return;
    for (Session::LaneState& state : session->lanes)
        if (state.lane == Lane{proxy, *handle}) state.up = false;
    pump_.note_lanes(*session, now);
}

void ModelSide::on_link_down(const NodeId& peer, Time now) {
    std::vector<ExchangeId> lost;
    for (const auto& [id, session] : sessions_.all()) {
        if (session->phase == SessionPhase::offered && forwards_.is_at(*session, peer)) lost.push_back(id);
        for (Session::LaneState& state : session->lanes)
            if (state.lane.proxy == peer) state.up = false;
        pump_.note_lanes(*session, now);
    }
    for (const ExchangeId& id : lost)
        if (Session* session = sessions_.find(id)) serve_elsewhere(*session, now);
}

void ModelSide::on_drained(const NodeId& peer) {
    for (const auto& [id, session] : sessions_.all())
        for (std::size_t lane = 0; lane < session->lanes.size(); ++lane)
            if (session->lanes[lane].missed_from && session->lanes[lane].lane.proxy == peer)
                pump_.resend_lane(*session, lane);
}

void ModelSide::on_forward_request(const NodeId& from, ByteView payload, Time now) {
    auto request = parse_forward_request(payload);
    auto id = ExchangeId::from(payload.first(std::min(payload.size(), ExchangeId::size)));
    if (!id) return;
    Status taken = request ? take_forward(from, *request, now) : std::unexpected(request.error());
    forwards_.answer(from, *id, taken ? ForwardAnswer::taken : ForwardAnswer::refused);
    if (!taken) {
        ++counters_.refused;
        return;
    }
    Session* session = sessions_.find(*id);
    if (session != nullptr && session->phase == SessionPhase::complete) serve(*session, now);
}

Status ModelSide::take_forward(const NodeId& from, const ForwardedRequest& request, Time now) {
    if (!forwards_.accepts_from(from, request.head.model))
        return fail(ErrorCode::permission_denied, "the node is not of the model's group");
    if (const Session* known = sessions_.find(request.id); known != nullptr && known->taken_over) return {};
    if (sessions_.find(request.id) != nullptr || sessions_.closed(request.id))
        return fail(ErrorCode::already_exists, "the exchange is known");
    auto ask = check_owner(request.head, request.body, request.id);
    if (!ask) return std::unexpected(ask.error());
    Session* session = find_or_open(request.id, from, now);
    if (session == nullptr || !sessions_.make_room(*session, request.body.size()))
        return fail(ErrorCode::exhausted, "no room for another exchange");
    sessions_.note_verified(*session);
    ++counters_.taken_over;
    session->taken_over = true;
    session->ask = *ask;
    session->phase = SessionPhase::complete;
    session->body = to_bytes(request.body);
    session->set_head(request.head);
    sessions_.index_lanes(*session);
    sessions_.count(*session);
    return {};
}

void ModelSide::on_forward_answer(const NodeId& from, ByteView payload, Time now) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    auto answer = static_cast<ForwardAnswer>(reader.u8());
    Session* session = id && reader.finished() ? sessions_.find(*id) : nullptr;
    if (session == nullptr || session->phase != SessionPhase::offered || !forwards_.is_at(*session, from)) return;
    if (answer != ForwardAnswer::taken) return serve_elsewhere(*session, now);
    forwards_.note_taken(*session, now);
    session->drop_body();
    sessions_.count(*session);
}

void ModelSide::serve_elsewhere(Session& session, Time now) {
    forwards_.withdraw(session);
    serve(session, now);
}

void ModelSide::pass_control(Session& session, const Control& control, ByteView record, Time now) {
    forwards_.pass_control(session, record);
    for (const LaneChange& change : control.changes)
        if (change.index < session.lanes.size()) sessions_.replace_lane(session, change.index, change.lane);
    if (!control.cancel) return;
    forwards_.note_cancelled(session, now);
    close(session.id, Ending::cancelled, now);
}

void ModelSide::on_forward_control(const NodeId& from, ByteView payload, Time now) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    Session* session = id ? sessions_.find(*id) : nullptr;
    if (session == nullptr || !session->taken_over || session->opener != from) return;
    on_control_record(*session, reader.rest(), now);
}

void ModelSide::on_timer(Time now) {
    if (now < next_timer()) return;
    next_sweep_ = now + sweep_interval;
    sweep(now);
    for (const ExchangeId& id : forwards_.due(now)) {
        Session* session = sessions_.find(id);
        if (session == nullptr) continue;
        if (session->phase == SessionPhase::offered) {
            serve_elsewhere(*session, now);
            continue;
        }
        forwards_.note_quiet(*session);
        close(id, Ending::finished, now);
    }
    forwards_.forget_placed(now);
    for (const ExchangeId& reader : runs_.drop_old(now))
        if (Session* session = sessions_.find(reader)) give_up_reader(*session, now);
    sessions_.forget_closed(now);
    opens_.forget_full(now);
    if (sessions_.idle() && runs_.empty() && opens_.empty()) next_sweep_ = Time{};
}

void ModelSide::sweep(Time now) {
    std::vector<std::pair<ExchangeId, Ending>> closing;
    std::vector<ExchangeId> stalled;
    for (const auto& [id, session] : sessions_.all()) {
        if (session->away()) continue;
        for (std::size_t lane = 0; lane < session->lanes.size(); ++lane)
            if (auto next = session->lanes[lane].next)
                change_lane(*session, {static_cast<std::uint8_t>(lane), *next}, now);
        if (session->whole() && reader_stalled(*session, now)) stalled.push_back(id);
        if (!session->whole()) {
            if (now - session->progress_at >= limits_.request_deadline) closing.emplace_back(id, Ending::finished);
        } else if (session->lanes_lost_at && now - *session->lanes_lost_at >= limits_.lanes_deadline) {
            closing.emplace_back(id, Ending::cancelled);
        } else if (session->over_at && now - *session->over_at >= limits_.linger) {
            closing.emplace_back(id, Ending::finished);
        } else if (!session->over() && now - session->sent_at >= limits_.heartbeat && pump_.may_beat(*session)) {
            pump_.send(*session, ItemKind::heartbeat, now);
        }
    }
    for (const auto& [id, ending] : closing) close(id, ending, now);
    for (const ExchangeId& id : stalled)
        if (Session* session = sessions_.find(id)) give_up_reader(*session, now);
}

bool ModelSide::reader_stalled(Session& session, Time now) const {
    if (session.over() || !pump_.held_back(session))
        session.window_full_at.reset();
    else if (!session.window_full_at)
        session.window_full_at = now;
    else
        return now - *session.window_full_at >= limits_.reader_deadline;
    return false;
}

void ModelSide::give_up_reader(Session& session, Time now) {
    // All is under way to it, and the run is not needed for that.
    if (session.over()) {
        if (session.run) runs_.leave(*std::exchange(session.run, std::nullopt), session.id, Ending::finished);
        return;
    }
    ++counters_.stalled;
    // There is no room for an error either.
    if (session.reply->full()) return close(session.id, Ending::cancelled, now);
    if (session.run) runs_.leave(*std::exchange(session.run, std::nullopt), session.id, Ending::cancelled);
    pump_.end_with(session, {ErrorCode::timed_out, "the reply was not read for too long"}, now);
}

void ModelSide::close(const ExchangeId& id, Ending ending, Time now) {
    auto session = sessions_.close(id, now);
    if (session == nullptr) return;
    forwards_.forget(session->id);
    pump_.forget(*session);
    if (session->run) runs_.leave(*session->run, session->id, ending);
}

}  // namespace planetserve::exchange
