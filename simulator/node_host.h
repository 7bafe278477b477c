// Puts a node's own class on the virtual network: any that takes frames, losses of links and the time.
#pragma once

#include <utility>

#include "simulator/network.h"

namespace planetserve::simulator {

template <typename Node>
class NodeHost : public Host {
public:
    // The arguments after the id make the node.
    template <typename... Arguments>
    NodeHost(Network& network, const NodeId& own_id, Arguments&&... arguments)
        : id(own_id), node(std::forward<Arguments>(arguments)...) {
        network.attach(id, *this);
    }
    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        node.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { node.on_link_down(peer); }
    void on_timer() override { node.on_timer(); }
    Time next_timer() const override { return node.next_timer(); }
    EventQueue::Memory memory() const override { return std::as_bytes(std::span(this, 1)); }

    const NodeId id;
    Node node;
};

}  // namespace planetserve::simulator
