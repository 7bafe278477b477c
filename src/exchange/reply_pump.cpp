#include "exchange/reply_pump.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::exchange {

namespace {

// A record with an error in it: the longest message an error may have, and its encoding.
constexpr std::size_t maximum_error_item = 8192;
// A record of the reply has a head, a piece of the body, and an end or an error.
constexpr std::size_t items_of_record = 3;
// The clove of one small record, of 1 KiB at the most: what a proxy may get that was not heard of.
constexpr std::size_t small_clove = dispersal::clove_size(1024, 1);

}  // namespace

void ReplyPump::pump(Session& session, const Run& run, Time now) {
    while (!session.over() && has_room(session)) {
        Bytes record = next_record(session, run);
        if (record.empty()) return;
        if (session.over()) session.over_at = now;
        send_record(session, record, now);
    }
}

Bytes ReplyPump::next_record(Session& session, const Run& run) const {
    Bytes record;
    if (!session.head_sent && run.head()) {
        append_item(record, ItemKind::reply_head, encode(*run.head()));
        session.head_sent = true;
    }
    const std::uint64_t window = session.consumed_bytes + inference::reply_window;
    const std::size_t room = maximum_record - record.size() - items_of_record * item_header_size;
    const auto allowed =
        static_cast<std::size_t>(std::min<std::uint64_t>(room, window - std::min(window, session.sent_bytes)));
    ByteView body = session.head_sent ? run.body(session.sent_bytes, allowed) : ByteView{};
    if (!body.empty()) {
        append_item(record, ItemKind::body, body);
        session.sent_bytes += body.size();
    }
    const bool all_sent = session.sent_bytes == run.body_size();
    if (run.error() && all_sent && record.size() + maximum_error_item < maximum_record) {
        append_item(record, ItemKind::error, encode(*run.error()));
        session.phase = SessionPhase::over;
    } else if (run.ended() && all_sent) {
        append_item(record, ItemKind::end, {});
        session.phase = SessionPhase::over;
    }
    return record;
}

void ReplyPump::send(Session& session, ItemKind kind, Time now) {
    REQUIRES(session.reply);
    Bytes record;
    append_item(record, kind, {});
    send_record(session, record, now);
}

void ReplyPump::end_with(Session& session, const Error& error, Time now) {
    REQUIRES(session.reply);
    Bytes record;
    append_item(record, ItemKind::error, encode(error));
    session.phase = SessionPhase::over;
    session.over_at = now;
    send_record(session, record, now);
}

void ReplyPump::send_record(Session& session, ByteView record, Time now) {
    const std::uint64_t number = session.reply->next();
    const auto cloves = session.reply->add(record, random_);
    budget_.count(session);
    session.sent_at = now;
    for (std::size_t lane = 0; lane < session.lanes.size(); ++lane) send_clove(session, lane, number, cloves[lane]);
    note_lanes(session, now);
}

bool ReplyPump::may_send(Session& session, std::size_t lane, std::uint64_t number, std::size_t size) const {
    Session::LaneState& state = session.lanes[lane];
    if (!state.up || state.missed_from) return false;
    if (state.heard) return true;
    if (size <= small_clove && !std::exchange(state.greeted, true)) return true;
    state.missed_from = number;
    return false;
}

void ReplyPump::send_clove(Session& session, std::size_t lane, std::uint64_t number, ByteView clove) {
    if (!may_send(session, lane, number, clove.size())) return;
    Session::LaneState& state = session.lanes[lane];
    Bytes envelope = seal_envelope(RecordKind::reply, self_.bytes(), clove);
    auto sent = sender_.send(state.lane.proxy, wire::FrameType::clove_reply, {state.lane.handle.bytes(), envelope});
    if (sent) return;
    if (sent.error().code == ErrorCode::exhausted)
        state.missed_from = number;
    else
        state.up = false;
}

void ReplyPump::acknowledge(Session& session, const Control& control) {
    const std::uint64_t consumed = session.consumed_bytes;
    session.reply->acknowledge(std::min(control.records, session.reply->next()));
    budget_.count(session);
    session.consumed_bytes = std::max(consumed, std::min(control.consumed, session.sent_bytes));
    // A user acknowledges heartbeats also when its reader takes nothing.
    if (session.consumed_bytes > consumed) session.window_full_at.reset();
}

void ReplyPump::resend_lane(Session& session, std::size_t lane) {
    Session::LaneState& state = session.lanes[lane];
    const std::uint64_t from = std::exchange(state.missed_from, std::nullopt).value_or(0);
    for (std::uint64_t number = std::max(from, session.reply->first()); number < session.reply->next(); ++number) {
        if (!state.up || state.missed_from) return;
        send_clove(session, lane, number, session.reply->clove(number, lane));
    }
}

bool ReplyPump::held_back(const Session& session) const { return !has_room(session) || session.bytes_full(); }

void ReplyPump::note_lanes(Session& session, Time now) {
    bool any_up = std::ranges::any_of(session.lanes, &Session::LaneState::up);
    if (any_up || session.lanes.empty())
        session.lanes_lost_at.reset();
    else if (!session.lanes_lost_at)
        session.lanes_lost_at = now;
}

}  // namespace planetserve::exchange
