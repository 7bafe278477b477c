// One exchange at the model node. Private to src/exchange.
#pragma once

#include "exchange/server.h"

namespace planetserve::exchange {

// What a session costs besides its cloves, in assembly.
inline constexpr std::size_t session_cost = 2048;

// A request may go out at once, so all of it may be in assembly; what its cloves have besides the body is the rest.
inline ReceiverLimits request_limits(std::uint64_t maximum_body) {
    ReceiverLimits limits;
    limits.window = maximum_body / (maximum_record - item_header_size) + 3;
    limits.maximum_held_of_source = maximum_body + maximum_body / 4 + (1 << 20);
    limits.maximum_held = 2 * limits.maximum_held_of_source;
    return limits;
}

// Control records are small, and few are under way at once.
inline ReceiverLimits control_limits() {
    ReceiverLimits limits;
    limits.maximum_size = 4096;
    limits.maximum_held_of_source = 64 << 10;
    limits.maximum_held = 512 << 10;
    return limits;
}

struct Server::Session {
    Session(const ExchangeId& own_id, const ExchangeKeys& own_keys, const NodeId& own_opener, std::uint64_t own_order,
            std::uint64_t maximum_body)
        : id(own_id),
          keys(own_keys),
          opener(own_opener),
          order(own_order),
          request(RecordKind::request, keys.request, Order::in_order, request_limits(maximum_body)),
          control(RecordKind::control, keys.control, Order::as_complete, control_limits()) {}

    bool bytes_full() const { return sent_bytes >= consumed_bytes + inference::reply_window; }
    std::size_t held_bytes() const { return session_cost + body.size() + request.held_bytes() + control.held_bytes(); }

    struct LaneState {
        Lane lane;
        bool up = true;
        bool missed = false;  // cloves were not sent because the proxy's link was full
    };

    ExchangeId id;
    ExchangeKeys keys;
    NodeId opener;  // the proxy whose clove opened it
    std::uint64_t order;
    bool verified = false;
    RecordReceiver request;
    RecordReceiver control;
    std::size_t counted = 0;  // in assembly_bytes_
    Time progress_at{};       // of the request, while in assembly
    std::optional<RequestHead> head;
    Bytes body;
    bool complete = false;

    // Handed to another node: which, when, whether it took it; and those that were asked before.
    struct Forward {
        NodeId to;
        Time sent_at{};
        bool taken = false;
    };
    std::optional<Forward> forwarded;
    std::set<NodeId> asked;
    bool taken_over = false;  // handed to us by the opener

    std::vector<LaneState> lanes;
    std::optional<RecordSender> reply;
    std::optional<IdempotencyId> run;
    bool head_sent = false;
    bool over_sent = false;
    std::uint64_t sent_bytes = 0;
    std::uint64_t consumed_bytes = 0;
    Time sent_at{};
    std::optional<Time> window_full_at;  // and nothing was consumed or acknowledged since
    std::optional<Time> lanes_lost_at;
    std::optional<Time> over_at;
};

}  // namespace planetserve::exchange
