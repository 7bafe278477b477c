#include "exchange/forwards.h"

#include <array>

#include "base/requires.h"

namespace planetserve::exchange {

Result<ForwardedRequest> parse_forward_request(ByteView payload) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    auto head = parse_request_head(reader.bytes(reader.u32()));
    ByteView body = reader.rest();
    if (!id || !reader.ok() || !head || body.size() != head->body_size)
        return fail(ErrorCode::malformed, "a forwarded request does not parse");
    return ForwardedRequest{*id, std::move(*head), body};
}

bool Forwards::offer(Session& session, Time now) {
    REQUIRES(session.phase == SessionPhase::complete && session.ask);
    if (forwarding_ == nullptr || session.taken_over || session.body.size() > wire::maximum_forwarded_body)
        return false;
    Forward& forward = forwards_[session.id];
    while (forward.asked.size() < limits_.maximum_forwards) {
        auto to = choose(session, forward.asked, now);
        if (!to || *to == self_) break;
        forward.asked.insert(*to);
        if (send(session, *to)) {
            forward.to = *to;
            forward.expires = now + limits_.forward_deadline;
            session.phase = SessionPhase::offered;
            return true;
        }
        ++counters_.forward_failed;
    }
    forwards_.erase(session.id);
    return false;
}

std::optional<NodeId> Forwards::choose(Session& session, const std::set<NodeId>& asked, Time now) {
    // A retry goes where the first one went, unless it came back from there.
    auto placed = session.head->returns ? placed_.end() : placed_.find(session.ask->run);
    if (placed != placed_.end() && !asked.contains(placed->second.node)) return placed->second.node;
    inference::Request request = session.take_request();
    auto to = forwarding_->place(request, asked, now);
    session.body = std::move(request.body);
    return to;
}

bool Forwards::send(Session& session, const NodeId& to) {
    // The lanes may have changed since the head was sent.
    for (std::size_t i = 0; i < session.lanes.size(); ++i) session.head->lanes[i] = session.lanes[i].lane;
    session.head->via = session.opener;
    session.head->returns.reset();
    Bytes head = encode(*session.head);
    std::array<std::uint8_t, 4> size{};
    store_big_endian(MutableByteView(size), static_cast<std::uint32_t>(head.size()));
    return sender_.send(to, wire::FrameType::forward_request, {session.id.bytes(), size, head, session.body})
        .has_value();
}

void Forwards::withdraw(Session& session) {
    REQUIRES(session.phase == SessionPhase::offered);
    ++counters_.forward_failed;
    placed_.erase(session.ask->run);
    session.phase = SessionPhase::complete;
    forwarding_->on_outcome(session.head->model, forwards_.at(session.id).to, session.opener, ForwardOutcome::refused);
}

void Forwards::note_cancelled(const Session& session, Time now) {
    REQUIRES(session.away());
    const Forward& forward = forwards_.at(session.id);
    const bool waited = session.phase == SessionPhase::forwarded &&
                        now >= forward.expires - limits_.forward_linger + limits_.forward_patience;
    if (waited) placed_.erase(session.ask->run);
    forwarding_->on_outcome(session.head->model, forward.to, session.opener,
                            waited ? ForwardOutcome::undelivered : ForwardOutcome::cancelled);
}

void Forwards::note_quiet(const Session& session) {
    REQUIRES(session.phase == SessionPhase::forwarded);
    forwarding_->on_outcome(session.head->model, forwards_.at(session.id).to, session.opener, ForwardOutcome::quiet);
}

void Forwards::note_taken(Session& session, Time now) {
    REQUIRES(session.phase == SessionPhase::offered);
    ++counters_.forwarded;
    Forward& forward = forwards_.at(session.id);
    forward.expires = now + limits_.forward_linger;
    session.phase = SessionPhase::forwarded;
    remember_placed(session.ask->run, forward.to, now);
}

bool Forwards::is_at(const Session& session, const NodeId& node) const {
    auto found = forwards_.find(session.id);
    return session.away() && found != forwards_.end() && found->second.to == node;
}

void Forwards::pass_control(const Session& session, ByteView record) {
    REQUIRES(session.away());
    (void)sender_.send(forwards_.at(session.id).to, wire::FrameType::forward_control, {session.id.bytes(), record});
}

std::vector<ExchangeId> Forwards::due(Time now) const {
    std::vector<ExchangeId> due;
    for (const auto& [id, forward] : forwards_)
        if (forward.expires <= now) due.push_back(id);
    return due;
}

void Forwards::remember_placed(const RunId& id, const NodeId& node, Time now) {
    if (placed_.insert_or_assign(id, Placed{node, now}).second) placed_order_.push_back(id);
    while (placed_order_.size() > limits_.maximum_placed) {
        placed_.erase(placed_order_.front());
        placed_order_.pop_front();
    }
}

void Forwards::forget_placed(Time now) {
    while (!placed_order_.empty()) {
        auto oldest = placed_.find(placed_order_.front());
        if (oldest != placed_.end() && now - oldest->second.at < limits_.keep_replies) break;
        if (oldest != placed_.end()) placed_.erase(oldest);
        placed_order_.pop_front();
    }
}

bool Forwards::accepts_from(const NodeId& node, const std::string& model) const {
    return forwarding_ != nullptr && forwarding_->accepts_from(node, model);
}

void Forwards::answer(const NodeId& to, const ExchangeId& id, ForwardAnswer answer) {
    std::array<std::uint8_t, 1> byte{static_cast<std::uint8_t>(answer)};
    (void)sender_.send(to, wire::FrameType::forward_answer, {id.bytes(), byte});
}

}  // namespace planetserve::exchange
