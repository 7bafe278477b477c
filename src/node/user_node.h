// A user node: asks for its owner, relays for others. Frames, lost links and directory lists go in; frames go out
// through the FrameSender, answers through the Service. It reads the clock, once for each event. Not thread-safe.
#pragma once

#include "crypto/identity.h"
#include "node/relay_role.h"
#include "node/user_requests.h"

namespace planetserve::node {

struct UserNodeOptions {
    onion::PoolOptions pool;
    UserRequestOptions requests;
    onion::RelayLimits relay;
    onion::ProxyLimits proxy;
};

class UserNode {
public:
    UserNode(const crypto::NodeKeys& keys, UserNodeOptions options, wire::FrameSender& sender, Random& random,
             const Clock& clock)
        : clock_(clock),
          requests_(keys.identity.id(), options.pool, options.requests, sender, random, clock),
          relay_(keys.identity.id(), keys.onion, options.relay, options.proxy, sender, random, clock) {
        relay_.set_destinations(
            [this](const NodeId& id) { return find_model_node(requests_.directory(), id) != nullptr; });
    }
    UserNode(const UserNode&) = delete;
    UserNode& operator=(const UserNode&) = delete;

    // The overlay as a service, for the owner's API.
    UserRequests& requests() { return requests_; }
    const UserRequests& requests() const { return requests_; }
    RelayRole& relay() { return relay_; }
    const RelayRole& relay() const { return relay_; }

    // False for a frame that a user node does not take.
    bool on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload);
    void on_link_down(const NodeId& peer);
    void on_drained(const NodeId& peer) { relay_.on_drained(peer); }
    void on_timer();
    Time next_timer() const { return std::min(requests_.next_timer(), relay_.next_timer()); }

private:
    const Clock& clock_;
    UserRequests requests_;
    RelayRole relay_;
};

}  // namespace planetserve::node
