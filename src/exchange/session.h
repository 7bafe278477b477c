// One exchange at the model node: the request as it is put together, the lanes to the user, and how far the reply is
// sent. A record with rules of its own; SessionTable bounds all of them, ReplyPump sends. Private to src/exchange.
#pragma once

#include <optional>
#include <vector>

#include "base/time.h"
#include "exchange/ownership.h"
#include "exchange/records.h"

namespace planetserve::exchange {

enum class SessionPhase {
    assembling,  // records of the request are missing
    complete,    // the whole request is here; where it runs is not decided
    offered,     // sent to another model node, which has not answered yet
    forwarded,   // another model node took the request and serves it
    replying,    // accepted here: the reply goes out as its run gives it
    over,        // the end or an error was sent; waits for acknowledgements
};

struct Session {
    // What the session costs besides its cloves.
    static constexpr std::size_t own_cost = 2048;

    struct LaneState {
        Lane lane;
        bool up = true;
        // Its proxy brought a clove of the exchange, so the user has a path there.
        bool heard = false;
        bool greeted = false;  // one small record was sent before that
        // The first record whose clove was not sent: the proxy's link was full, or it was not heard of yet.
        std::optional<std::uint64_t> missed_from = std::nullopt;
        std::optional<Time> changed_at = std::nullopt;
        std::optional<Lane> next = std::nullopt;  // replaces the lane once a change may be made again
    };
    // What a record did to the request.
    enum class Taken { more, complete, malformed, too_large };

    Session(const ExchangeId& id, const ExchangeKeys& keys, const NodeId& opener, std::uint64_t order,
            std::uint64_t maximum_body);

    bool whole() const { return phase != SessionPhase::assembling; }
    // Another model node has the request or is asked to take it.
    bool away() const { return phase == SessionPhase::offered || phase == SessionPhase::forwarded; }
    bool over() const { return phase == SessionPhase::over; }
    // The user's window of bytes is used up.
    bool bytes_full() const { return sent_bytes >= consumed_bytes + inference::reply_window; }
    // Bytes of cloves and of the request, with what it costs to keep them.
    std::size_t held_bytes() const { return own_cost + body.size() + request.held_bytes() + control.held_bytes(); }
    // Cloves of one record that the proxy may bring: one for each lane that the user said it has there, and one for a
    // lane it may be about to name. Before the head is known, as many as a record has: where there are few relays,
    // several of a user's paths end at one proxy.
    std::size_t cloves_from(const NodeId& proxy) const;
    // The proxy brought a clove of the exchange. Returns the lanes that it is heard of for the first time.
    std::vector<std::size_t> note_heard(const NodeId& proxy);
    bool heard_of(const NodeId& proxy) const;

    // Adds a record of the request: head, body, end. Requires: phase == assembling.
    Taken take(ByteView record, std::uint64_t maximum_body);
    // Sets the head and with it the lanes and the threshold.
    void set_head(RequestHead own_head);
    // Whose share of the engines' places the request takes: that of the neighbour that opened it. Requests that another
    // model node forwards have shares there for each neighbour that opened one at it, as it says.
    NodeId via() const;
    // The request as the engines take it, with the body moved out of the session. Requires: head.
    inference::Request take_request();
    void drop_body();

    ExchangeId id;
    ExchangeKeys keys;
    NodeId opener;        // the proxy whose clove opened it, or the model node that forwarded it
    std::uint64_t order;  // in which sessions were opened
    SessionPhase phase = SessionPhase::assembling;
    // A record of it opened, so its maker knows the exchange's key.
    bool verified = false;
    bool taken_over = false;  // the opener is a model node that forwarded the request
    RecordReceiver request;
    RecordReceiver control;
    Time progress_at{};  // of the request, while it is assembled
    std::optional<RequestHead> head;
    Bytes body;

    std::vector<LaneState> lanes;
    std::vector<NodeId> proxies_heard;  // some of them
    std::optional<Time> lanes_lost_at;
    std::optional<RecordSender> reply;  // once the head is known
    std::optional<Ask> ask;             // once the request is whole, and its owner is known to have signed it
    std::optional<RunId> run;           // that it reads
    bool head_sent = false;
    std::uint64_t sent_bytes = 0;  // of the reply's body
    std::uint64_t consumed_bytes = 0;
    Time sent_at{};                      // of the last record
    std::optional<Time> window_full_at;  // and nothing was consumed since
    std::optional<Time> over_at;
    std::size_t counted = 0;        // in SessionTable::assembly_bytes()
    std::size_t counted_reply = 0;  // in ReplyBudget
};

}  // namespace planetserve::exchange
