#include "wire/frame_roles.h"

namespace planetserve::wire {

bool takes(Role own, FrameType type) {
    switch (type) {
        case FrameType::hello:
        case FrameType::ping:
        case FrameType::pong:
        case FrameType::goodbye:
        case FrameType::call_response:  // everybody asks verification nodes
            return true;
        case FrameType::path_setup:
        case FrameType::clove_reply:
            return own == Role::user;
        case FrameType::path_cell:
        case FrameType::path_destroy:  // verification nodes build paths for their challenges
            return own != Role::model;
        case FrameType::clove_forward:
        case FrameType::reply_closed:
        case FrameType::forward_request:
        case FrameType::forward_answer:
        case FrameType::forward_control:
        case FrameType::group_sync:
            return own == Role::model;
        case FrameType::call_request:
        case FrameType::transcript_request:
        case FrameType::transcript:
            return own == Role::verifier;
    }
    return false;
}

}  // namespace planetserve::wire
