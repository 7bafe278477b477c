#include "exchange/session.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::exchange {

namespace {

// Proxies remembered before the head names the lanes, and for lanes that change: a few times as many as lanes.
constexpr std::size_t maximum_proxies_heard = 32;

// A request may go out at once, so all of it may be in assembly; what its cloves have besides the body is the rest.
ReceiverLimits request_limits(std::uint64_t maximum_body) {
    ReceiverLimits limits;
    limits.window = maximum_body / (maximum_record - item_header_size) + 3;
    limits.maximum_held_of_source = maximum_body + maximum_body / 4 + (1 << 20);
    limits.maximum_held = 2 * limits.maximum_held_of_source;
    return limits;
}

// Control records are small, and few are under way at once.
ReceiverLimits control_limits() {
    ReceiverLimits limits;
    limits.maximum_size = 4096;
    limits.maximum_held_of_source = 64 << 10;
    limits.maximum_held = 512 << 10;
    return limits;
}

}  // namespace

Session::Session(const ExchangeId& own_id, const ExchangeKeys& own_keys, const NodeId& own_opener,
                 std::uint64_t own_order, std::uint64_t maximum_body)
    : id(own_id),
      keys(own_keys),
      opener(own_opener),
      order(own_order),
      request(RecordKind::request, keys.request, Order::in_order, request_limits(maximum_body)),
      control(RecordKind::control, keys.control, Order::as_complete, control_limits()) {}

std::size_t Session::cloves_from(const NodeId& proxy) const {
    if (!head) return dispersal::maximum_cloves;
    auto there = std::ranges::count_if(lanes, [&](const LaneState& state) { return state.lane.proxy == proxy; });
    return std::max<std::size_t>(1, static_cast<std::size_t>(there));
}

bool Session::heard_of(const NodeId& proxy) const {
    return std::ranges::find(proxies_heard, proxy) != proxies_heard.end();
}

std::vector<std::size_t> Session::note_heard(const NodeId& proxy) {
    if (!heard_of(proxy) && proxies_heard.size() < maximum_proxies_heard) proxies_heard.push_back(proxy);
    std::vector<std::size_t> fresh;
    for (std::size_t i = 0; i < lanes.size(); ++i)
        if (lanes[i].lane.proxy == proxy && !std::exchange(lanes[i].heard, true)) fresh.push_back(i);
    return fresh;
}

Session::Taken Session::take(ByteView record, std::uint64_t maximum_body) {
    REQUIRES(phase == SessionPhase::assembling);
    auto items = parse_items(record);
    if (!items) return Taken::malformed;
    for (const Item& item : *items) {
        switch (item.kind) {
            case ItemKind::request_head: {
                auto parsed = parse_request_head(item.content);
                if (!parsed || head) return Taken::malformed;
                set_head(std::move(*parsed));
                if (head->body_size > maximum_body) return Taken::too_large;
                break;
            }
            case ItemKind::body:
                if (!head || item.content.size() > head->body_size - body.size()) return Taken::malformed;
                append(body, item.content);
                break;
            case ItemKind::end:
                if (!head || body.size() != head->body_size) return Taken::malformed;
                phase = SessionPhase::complete;
                request.drop_held();
                break;
            default:
                return Taken::malformed;
        }
    }
    return phase == SessionPhase::complete ? Taken::complete : Taken::more;
}

void Session::set_head(RequestHead own_head) {
    head = std::move(own_head);
    for (const Lane& lane : head->lanes) lanes.push_back({.lane = lane, .heard = heard_of(lane.proxy)});
    dispersal::Threshold threshold{static_cast<std::uint8_t>(lanes.size()), head->k};
    control.expect(threshold);
    reply.emplace(RecordKind::reply, keys.reply, threshold);
}

NodeId Session::via() const {
    if (!taken_over || !head->via) return opener;
    return NodeId{crypto::sha256({opener.bytes(), head->via->bytes()})};
}

inference::Request Session::take_request() {
    REQUIRES(head);
    return {head->id,        head->method, head->path, head->content_type, head->model, std::exchange(body, {}),
            head->continues, std::nullopt, via(),      head->returns};
}

void Session::drop_body() {
    body.clear();
    body.shrink_to_fit();
}

}  // namespace planetserve::exchange
