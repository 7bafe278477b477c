#include "node/user_node.h"

namespace planetserve::node {

bool UserNode::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    bool of_a_path = type == wire::FrameType::path_cell || type == wire::FrameType::path_destroy;
    if (!of_a_path || !requests_.pool().owns(from, payload)) return relay_.on_frame(from, type, payload);
    if (type == wire::FrameType::path_cell)
        requests_.pool().on_cell(payload, clock_.read());
    else
        requests_.pool().on_destroy(payload, clock_.read());
    return true;
}

void UserNode::on_link_down(const NodeId& peer) {
    requests_.pool().on_link_down(peer, clock_.read());
    relay_.on_link_down(peer);
}

void UserNode::on_timer() {
    requests_.on_timer();
    relay_.on_timer();
}

}  // namespace planetserve::node
