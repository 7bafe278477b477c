#include "node/user_node.h"

namespace planetserve::node {

bool UserNode::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    bool of_a_path = type == wire::FrameType::path_cell || type == wire::FrameType::path_destroy;
    if (!of_a_path || !asker_.pool().owns(from, payload)) return relay_.on_frame(from, type, payload);
    if (type == wire::FrameType::path_cell)
        asker_.pool().on_cell(from, payload, clock_.now(), clock_.unix_now());
    else
        asker_.pool().on_destroy(from, payload, clock_.now(), clock_.unix_now());
    return true;
}

void UserNode::on_link_down(const NodeId& peer) {
    asker_.pool().on_link_down(peer, clock_.now(), clock_.unix_now());
    relay_.on_link_down(peer);
}

void UserNode::on_timer() {
    asker_.on_timer();
    relay_.on_timer();
}

}  // namespace planetserve::node
