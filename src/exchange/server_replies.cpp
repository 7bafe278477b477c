// Requests to replies: runs, what is sent of them and over which lanes, and how long they are kept.

#include <algorithm>

#include "exchange/server_session.h"

namespace planetserve::exchange {

void Server::start_run(Session& session) {
    if (forward(session)) return;
    ++counters_.requests;
    Bytes accepted;
    append_item(accepted, ItemKind::accepted, {});
    send_record(session, accepted);
    const IdempotencyId id = session.head->id;
    auto kept = runs_.find(id);
    // A run that failed is tried again once everyone who waited for it has been told.
    if (kept != runs_.end() && kept->second.run->error() && kept->second.askers.empty()) {
        erase_run(kept);
        kept = runs_.end();
    }
    if (kept != runs_.end()) {
        if (!kept->second.run->replayable())
            return refuse(session, {ErrorCode::already_exists,
                                    "this request ran already, and its reply was too long to be kept for a retry"});
        ++counters_.joined;
        return attach(session, id);
    }
    inference::Request request = take_request(session);
    auto& run = runs_[id];
    run.run = std::make_unique<Run>(id, limits_.maximum_kept_reply, static_cast<RunEvents&>(*this));
    session.run = id;
    run.askers.insert(session.id);
    run.run->start(service_, std::move(request));
    on_run_progress(id);
}

inference::Request Server::take_request(Session& session) {
    const RequestHead& head = *session.head;
    return {head.id,       head.method, head.path, head.content_type, head.model, std::exchange(session.body, {}),
            head.continues};
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
        count_kept(kept);
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
    session.request.drop_held();
    send_record(session, record);
}

void Server::on_control_record(Session& session, ByteView record) {
    auto items = parse_items(record);
    if (!items || items->size() != 1 || items->front().kind != ItemKind::control || !session.reply) return;
    auto control = parse_control(items->front().content);
    if (!control) return;
    if (session.forwarded) return pass_control(session, record);
    if (control->cancel) return close(session.id, true);
    const std::size_t unacknowledged = session.reply->unacknowledged();
    const std::uint64_t consumed = session.consumed_bytes;
    const bool bytes_full = session.bytes_full();
    session.reply->acknowledge(std::min(control->records, session.reply->next()));
    session.consumed_bytes = std::max(session.consumed_bytes, std::min(control->consumed, session.sent_bytes));
    if (session.consumed_bytes > consumed || (!bytes_full && session.reply->unacknowledged() < unacknowledged))
        session.window_full_at.reset();
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
    count_kept(found->second);
}

// Only replies that are over are kept for retries.
void Server::count_kept(KeptRun& run) {
    kept_bytes_ -= run.counted;
    run.counted = run.over_at ? run.run->kept_bytes() : 0;
    kept_bytes_ += run.counted;
}

void Server::erase_run(Runs::iterator run) {
    kept_bytes_ -= run->second.counted;
    if (run->second.over_at) runs_over_.erase({*run->second.over_at, run->first});
    runs_.erase(run);
}

void Server::leave_run(Session& session, bool cancelled) {
    if (!session.run) return;
    const IdempotencyId id = *session.run;
    session.run.reset();
    auto run = runs_.find(id);
    if (run == runs_.end()) return;
    run->second.askers.erase(session.id);
    // The one that left may have been the slowest.
    if (!run->second.askers.empty()) return report_progress(id);
    if (!cancelled || run->second.run->over()) return;
    ++counters_.cancelled;
    erase_run(run);  // stops the engine; a later retry runs anew
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
    std::vector<ExchangeId> lost;
    for (auto& [id, session] : sessions_) {
        if (session->forwarded && session->forwarded->to == peer && !session->forwarded->taken) lost.push_back(id);
        for (auto& state : session->lanes)
            if (state.lane.proxy == peer) state.up = false;
        note_lanes(*session);
    }
    for (const ExchangeId& id : lost) forward_again(*sessions_.at(id));
}

void Server::on_drained(const NodeId& peer) {
    for (auto& [id, session] : sessions_)
        for (std::size_t i = 0; i < session->lanes.size(); ++i)
            if (session->lanes[i].missed && session->lanes[i].lane.proxy == peer) resend_lane(*session, i);
}

void Server::check_reader(Session& session, Time now, std::vector<ExchangeId>& stalled) const {
    if (session.over_sent || (!session.reply->full() && !session.bytes_full()))
        session.window_full_at.reset();
    else if (!session.window_full_at)
        session.window_full_at = now;
    else if (now - *session.window_full_at >= limits_.reader_deadline)
        stalled.push_back(session.id);
}

void Server::give_up_reader(Session& session) {
    ++counters_.stalled;
    if (session.reply->full()) return close(session.id, true);
    leave_run(session, true);
    session.over_sent = true;
    session.over_at = clock_.now();
    Bytes record;
    append_item(record, ItemKind::error, encode(Error{ErrorCode::timed_out, "the reply was not read for too long"}));
    send_record(session, record);
}

void Server::drop_old_runs(Time now) {
    std::erase_if(runs_to_drop_, [&](const IdempotencyId& id) {
        auto run = runs_.find(id);
        if (run == runs_.end() || !run->second.run->error()) return true;  // gone, or tried again since
        if (!run->second.askers.empty()) return false;
        erase_run(run);
        return true;
    });
    for (auto oldest = runs_over_.begin(); oldest != runs_over_.end();) {
        bool old = now - oldest->first >= limits_.keep_replies || kept_bytes_ > limits_.maximum_kept_replies;
        if (!old) break;
        auto run = runs_.find((oldest++)->second);
        if (run->second.askers.empty()) erase_run(run);
    }
}

}  // namespace planetserve::exchange
