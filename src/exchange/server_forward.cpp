// Requests that another model node of the group serves: handed over whole, answered by it to the asker's proxies
// (docs/protocols/forwarding.md).

#include <algorithm>

#include "exchange/server_session.h"

namespace planetserve::exchange {

namespace {

enum class ForwardAnswer : std::uint8_t { taken = 1, refused = 2 };

}  // namespace

bool Server::forward(Session& session) {
    const RequestHead& head = *session.head;
    // One hop: who was handed a request serves it. What runs here already is joined here.
    if (forwarding_ == nullptr || session.taken_over || runs_.contains(head.id) ||
        session.body.size() > wire::maximum_forwarded_body || session.asked.size() >= limits_.maximum_forwards)
        return false;
    std::optional<NodeId> to;
    auto placed = placed_.find(head.id);
    if (placed != placed_.end() && !session.asked.contains(placed->second.node)) {
        to = placed->second.node;
    } else {
        inference::Request request = take_request(session);
        to = forwarding_->place(request, session.asked);
        session.body = std::move(request.body);
    }
    return to && *to != self_ && send_forward(session, *to);
}

bool Server::send_forward(Session& session, const NodeId& to) {
    session.asked.insert(to);
    // The lanes as they are by now.
    for (std::size_t i = 0; i < session.lanes.size(); ++i) session.head->lanes[i] = session.lanes[i].lane;
    Bytes head = encode(*session.head);
    std::array<std::uint8_t, 4> size{};
    store_big_endian(MutableByteView(size), static_cast<std::uint32_t>(head.size()));
    if (!sender_.send(to, wire::FrameType::forward_request, {session.id.bytes(), size, head, session.body})) {
        ++counters_.forward_failed;
        return forward(session);
    }
    session.forwarded = Session::Forward{to, clock_.now(), false};
    forwards_waiting_.insert(session.id);
    return true;
}

void Server::forward_again(Session& session) {
    ++counters_.forward_failed;
    placed_.erase(session.head->id);
    session.forwarded.reset();
    forwards_waiting_.erase(session.id);
    start_run(session);
}

void Server::on_forward_answer(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    auto answer = static_cast<ForwardAnswer>(reader.u8());
    auto found = id && reader.finished() ? sessions_.find(*id) : sessions_.end();
    if (found == sessions_.end()) return;
    Session& session = *found->second;
    if (!session.forwarded || session.forwarded->to != from || session.forwarded->taken) return;
    if (answer != ForwardAnswer::taken) return forward_again(session);
    ++counters_.forwarded;
    session.forwarded->taken = true;
    session.forwarded->sent_at = clock_.now();
    remember_placed(session.head->id, from);
    session.body = {};
    session.body.shrink_to_fit();
    count_assembly(session);
}

void Server::remember_placed(const IdempotencyId& id, const NodeId& node) {
    if (placed_.insert_or_assign(id, Placed{node, clock_.now()}).second) placed_order_.push_back(id);
    while (placed_order_.size() > limits_.maximum_placed) {
        placed_.erase(placed_order_.front());
        placed_order_.pop_front();
    }
}

void Server::pass_control(Session& session, ByteView record) {
    const ExchangeId id = session.id;
    (void)sender_.send(session.forwarded->to, wire::FrameType::forward_control, {id.bytes(), record});
    auto control = parse_control(parse_items(record)->front().content);
    for (const LaneChange& change : control->changes)
        if (change.index < session.lanes.size()) session.lanes[change.index] = {change.lane};
    if (control->cancel) close(id, true);
}

void Server::check_forwards(Time now) {
    std::vector<ExchangeId> due;
    for (const ExchangeId& id : forwards_waiting_) {
        const auto& forwarded = *sessions_.at(id)->forwarded;
        if (now - forwarded.sent_at >= (forwarded.taken ? limits_.forward_linger : limits_.forward_deadline))
            due.push_back(id);
    }
    for (const ExchangeId& id : due) {
        auto& session = *sessions_.at(id);
        if (session.forwarded->taken)
            close(id, false);
        else
            forward_again(session);
    }
    while (!placed_order_.empty()) {
        auto oldest = placed_.find(placed_order_.front());
        if (oldest != placed_.end() && now - oldest->second.at < limits_.keep_replies) break;
        if (oldest != placed_.end()) placed_.erase(oldest);
        placed_order_.pop_front();
    }
}

void Server::on_forward_request(const NodeId& from, ByteView payload) {
    auto taken = take_forward(from, payload);
    auto id = ExchangeId::from(payload.first(std::min(payload.size(), ExchangeId::size)));
    if (!id) return;
    std::array<std::uint8_t, 1> answer{
        static_cast<std::uint8_t>(taken ? ForwardAnswer::taken : ForwardAnswer::refused)};
    (void)sender_.send(from, wire::FrameType::forward_answer, {id->bytes(), answer});
    if (!taken) {
        ++counters_.refused;
        return;
    }
    auto session = sessions_.find(*id);
    if (session != sessions_.end() && !session->second->run && !session->second->over_sent) start_run(*session->second);
}

Status Server::take_forward(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    auto head = parse_request_head(reader.bytes(reader.u32()));
    ByteView body = reader.rest();
    if (!id || !reader.ok() || !head || body.size() != head->body_size)
        return fail(ErrorCode::malformed, "a request that was handed over does not parse");
    if (forwarding_ == nullptr || !forwarding_->accepts_from(from, head->model))
        return fail(ErrorCode::permission_denied, "the node is not of the model's group");
    if (auto known = sessions_.find(*id); known != sessions_.end() && known->second->taken_over) return {};
    if (sessions_.contains(*id) || closed_.contains(*id))
        return fail(ErrorCode::already_exists, "the exchange is known");
    Session* session = find_or_open(*id, from);
    if (session == nullptr || !make_room(*session, body.size()))
        return fail(ErrorCode::exhausted, "no room for another exchange");
    note_verified(*session);
    ++counters_.taken_over;
    session->taken_over = true;
    session->complete = true;
    session->body = to_bytes(body);
    session->head = std::move(*head);
    set_lanes(*session);
    count_assembly(*session);
    return {};
}

void Server::on_forward_control(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto id = ExchangeId::from(reader.bytes(ExchangeId::size));
    auto found = id ? sessions_.find(*id) : sessions_.end();
    if (found == sessions_.end() || !found->second->taken_over || found->second->opener != from) return;
    on_control_record(*found->second, reader.rest());
}

}  // namespace planetserve::exchange
