// What a user node does for others: relays their paths and is the proxy of some (docs/protocols/paths.md).
#pragma once

#include "onion/proxy.h"
#include "onion/relay.h"

namespace planetserve::node {

class RelayRole {
public:
    RelayRole(const NodeId& self, const crypto::AgreementKey& onion_key, onion::RelayLimits relay_limits,
              onion::ProxyLimits proxy_limits, wire::FrameSender& sender, Random& random, const Clock& clock)
        : clock_(clock), relay_(self, onion_key, relay_limits, sender, random), proxy_(relay_, proxy_limits, sender) {}

    // As onion::Proxy has it.
    void set_destinations(onion::Proxy::IsModelNode is_model_node) {
        proxy_.set_destinations(std::move(is_model_node));
    }

    // False for a frame that a relay does not take.
    bool on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload);
    void on_link_down(const NodeId& peer) {
        relay_.on_link_down(peer);
        proxy_.on_link_down(peer);
    }
    void on_drained(const NodeId& peer) {
        relay_.on_drained(peer);
        proxy_.on_drained(peer);
    }
    void on_timer() {
        relay_.on_timer(clock_.now());
        proxy_.on_timer(clock_.now());
    }
    Time next_timer() const { return std::min(relay_.next_timer(), proxy_.next_timer()); }

    onion::RelayAdmission& admission() { return relay_.admission(); }
    const onion::Relay& relay() const { return relay_; }
    const onion::Proxy& proxy() const { return proxy_; }

private:
    const Clock& clock_;
    onion::Relay relay_;
    onion::Proxy proxy_;
};

}  // namespace planetserve::node
