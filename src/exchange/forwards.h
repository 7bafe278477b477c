// Requests that this model node forwards to others of their model's group, and what it receives from those that forward
// to it (docs/protocols/forwarding.md).
//
// A request is offered whole to another node. The node takes it and answers the user's proxies itself; or it refuses or
// stays silent, and then a third node is offered the request or it runs here. A request is forwarded once: a node that
// took one serves it. For a short while after a node took a request, the user's control records are passed on to it.
// Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>
#include <vector>

#include "exchange/model_side_limits.h"
#include "exchange/session.h"
#include "wire/frame.h"

namespace planetserve::exchange {

// What this node can tell of a forward; the answer goes straight to the user.
enum class ForwardOutcome : std::uint8_t {
    refused,      // the node did not take the request
    undelivered,  // it did, and the user gave up without having heard of it
    cancelled,    // the user left sooner than that says anything
    quiet,        // it did, and the user has heard of it, or is gone
};

// Which node a complete request runs on. Other model nodes of the group may serve it.
class Forwarding {
public:
    virtual ~Forwarding() = default;
    // Another node for the request, none of those excluded; nothing when it runs here.
    virtual std::optional<NodeId> place(const inference::Request& request, const std::set<NodeId>& excluded,
                                        Time now) = 0;
    // Whether the node may forward requests for this model to us.
    virtual bool accepts_from(const NodeId& node, const std::string& model) = 0;
    // What became of a request that came by way of a neighbour and that place() sent to the node.
    virtual void on_outcome(const std::string& /*model*/, const NodeId& /*node*/, const NodeId& /*via*/,
                            ForwardOutcome /*outcome*/) {}
};

// What a node answers to a request that is offered to it; one byte on the wire.
enum class ForwardAnswer : std::uint8_t { taken = 1, refused = 2 };

struct ForwardedRequest {
    ExchangeId id;
    RequestHead head;
    ByteView body;
};

// The payload of a forward_request frame. The body is a view into it.
Result<ForwardedRequest> parse_forward_request(ByteView payload);

class Forwards {
public:
    // The sender and the counters outlive it.
    Forwards(const NodeId& self, const ModelSideLimits& limits, wire::FrameSender& sender, ModelSideCounters& counters)
        : self_(self), limits_(limits), sender_(sender), counters_(counters) {}

    // It outlives this. Without it nothing is forwarded or accepted.
    void set_forwarding(Forwarding& forwarding) { forwarding_ = &forwarding; }

    // Offers a complete request to another node where it belongs to one. False when it runs here.
    bool offer(Session& session, Time now);
    // The offer failed: the request is this node's again. Requires: phase == offered.
    void withdraw(Session& session);
    // The user cancelled: it did not hear of the session's node, or did not wait. Requires: session.away().
    void note_cancelled(const Session& session, Time now);
    // The user has had time to hear of the session's node. Requires: phase == forwarded.
    void note_quiet(const Session& session);
    // The session's node took the request. Requires: phase == offered.
    void note_taken(Session& session, Time now);
    // Whether the session's request is at this node, offered or taken.
    bool is_at(const Session& session, const NodeId& node) const;
    // Passes a user's control record on. Requires: session.away().
    void pass_control(const Session& session, ByteView record);
    // The session ended.
    void forget(const ExchangeId& id) { forwards_.erase(id); }
    // Offers without an answer by now, and taken requests whose user has had time to speak to the other node.
    std::vector<ExchangeId> due(Time now) const;
    void forget_placed(Time now);

    bool accepts_from(const NodeId& node, const std::string& model) const;
    void answer(const NodeId& to, const ExchangeId& id, ForwardAnswer answer);

private:
    struct Forward {
        NodeId to;               // the node that has the offer, or took the request
        Time expires{};          // the offer, or the passing on of control records
        std::set<NodeId> asked;  // all nodes that the request was offered to
    };
    struct Placed {
        NodeId node;
        Time at;
    };

    // Where the request was taken before, else where the group places it.
    std::optional<NodeId> choose(Session& session, const std::set<NodeId>& asked, Time now);
    bool send(Session& session, const NodeId& to);
    void remember_placed(const RunId& id, const NodeId& node, Time now);

    NodeId self_;
    ModelSideLimits limits_;
    wire::FrameSender& sender_;
    ModelSideCounters& counters_;
    Forwarding* forwarding_ = nullptr;
    std::map<ExchangeId, Forward> forwards_;
    // Which node took a request, so that a retry goes there too; the oldest are forgotten first.
    std::unordered_map<RunId, Placed, IdHash> placed_;
    std::deque<RunId> placed_order_;
};

}  // namespace planetserve::exchange
