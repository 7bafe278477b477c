// A model node: answers requests that reach it through the overlay by running them on its engines. Pure, as UserNode
// is.
#pragma once

#include "crypto/identity.h"
#include "exchange/server.h"

namespace planetserve::node {

class ModelNode {
public:
    // The service is the node's engines; it outlives the node.
    ModelNode(const crypto::NodeKeys& keys, exchange::ServerLimits limits, wire::FrameSender& sender,
              inference::Service& engines, Random& random, const Clock& clock)
        : server_(keys.identity.id(), keys.onion, limits, sender, engines, random, clock) {}

    // Without it every request runs here. It outlives the node.
    void set_forwarding(exchange::Forwarding& forwarding) { server_.set_forwarding(forwarding); }

    bool on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
        switch (type) {
            case wire::FrameType::clove_forward:
                server_.on_clove(from, payload);
                return true;
            case wire::FrameType::reply_closed:
                server_.on_reply_closed(from, payload);
                return true;
            case wire::FrameType::forward_request:
                server_.on_forward_request(from, payload);
                return true;
            case wire::FrameType::forward_answer:
                server_.on_forward_answer(from, payload);
                return true;
            case wire::FrameType::forward_control:
                server_.on_forward_control(from, payload);
                return true;
            default:
                return false;
        }
    }
    void on_link_down(const NodeId& peer) { server_.on_link_down(peer); }
    void on_drained(const NodeId& peer) { server_.on_drained(peer); }
    void on_timer() { server_.on_timer(); }
    Time next_timer() const { return server_.next_timer(); }

    const exchange::Server& server() const { return server_; }

private:
    exchange::Server server_;
};

}  // namespace planetserve::node
