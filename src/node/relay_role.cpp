#include "node/relay_role.h"

namespace planetserve::node {

bool RelayRole::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    switch (type) {
        case wire::FrameType::path_setup:
            relay_.on_setup(from, payload, clock_.read());
            return true;
        case wire::FrameType::path_cell:
            relay_.on_cell(from, payload, clock_.now());
            return true;
        case wire::FrameType::path_destroy:
            relay_.on_destroy(from, payload);
            return true;
        case wire::FrameType::clove_reply:
            proxy_.on_clove_reply(from, payload, clock_.now());
            return true;
        default:
            return false;
    }
}

}  // namespace planetserve::node
