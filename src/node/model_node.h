// A model node: answers requests that reach it through the overlay by running them on its engines, or hands them to
// others of its models' groups. Pure, as UserNode is.
#pragma once

#include "crypto/identity.h"
#include "exchange/server.h"
#include "node/model_groups.h"

namespace planetserve::node {

struct ModelNodeOptions {
    exchange::ServerLimits limits{};
    // For the groups: how busy the engines are, and which of the process's starts this is (model_groups.h).
    ModelGroups::ReadStats stats = [] { return inference::RouterStats{}; };
    routing::Incarnation incarnation = 1;
};

class ModelNode {
public:
    // The service is the node's engines; it outlives the node.
    ModelNode(const crypto::NodeKeys& keys, ModelNodeOptions options, wire::FrameSender& sender,
              inference::Service& engines, Random& random, const Clock& clock)
        : groups_(keys.identity.id(), engines, std::move(options.stats), sender, random, clock, options.incarnation),
          server_(keys.identity.id(), keys.onion, options.limits, sender, groups_, random, clock) {
        server_.set_forwarding(groups_);
    }

    // Instead of the groups. It outlives the node.
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
            case wire::FrameType::group_sync:
                groups_.on_sync(from, payload);
                return true;
            default:
                return false;
        }
    }
    void on_link_down(const NodeId& peer) {
        server_.on_link_down(peer);
        groups_.on_link_down(peer);
    }
    void on_drained(const NodeId& peer) { server_.on_drained(peer); }
    void on_timer() {
        server_.on_timer();
        groups_.on_timer();
    }
    Time next_timer() const { return std::min(server_.next_timer(), groups_.next_timer()); }

    // None at first: every request runs here.
    ModelGroups& groups() { return groups_; }
    const ModelGroups& groups() const { return groups_; }
    const exchange::Server& server() const { return server_; }

private:
    ModelGroups groups_;
    exchange::Server server_;
};

}  // namespace planetserve::node
