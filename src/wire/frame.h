// Frames: what travels over a link between two nodes (docs/protocols/links.md).
//
// A frame is type (1 byte), payload size (3 bytes, big-endian), payload. Each type has its own size limit, checked from
// the header before anything is allocated. Types not listed here are refused.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace planetserve::wire {

enum class FrameType : std::uint8_t {
    // Links themselves; never seen above the link layer.
    hello = 1,
    ping = 2,
    pong = 3,
    goodbye = 4,
    // Paths (docs/protocols/paths.md).
    path_setup = 16,
    path_cell = 17,
    path_destroy = 18,
    // Between a proxy and a model node (docs/protocols/requests.md).
    clove_forward = 32,
    clove_reply = 33,
    reply_closed = 34,
    // Between model nodes of a group (docs/protocols/forwarding.md).
    forward_request = 40,
    forward_answer = 41,
    forward_control = 42,
    group_sync = 43,
    // Calls to a verification node (docs/protocols/registry.md): call id (8 bytes), then a protobuf message.
    call_request = 48,
    call_response = 49,
    // Between verification nodes (docs/protocols/verification.md): the epoch (8 bytes), and its transcript.
    transcript_request = 50,
    transcript = 51,
};

inline constexpr std::size_t frame_header_size = 4;

// What a model node forwards in one frame: a request's head, and a body of up to 1 MiB. A node serves a request with a
// larger body itself.
inline constexpr std::size_t maximum_forwarded_body = 1 << 20;
inline constexpr std::size_t maximum_forward_head = 64 << 10;
inline constexpr std::size_t exchange_id_size = 32;
// The group's name, then a message of the sync (routing/member.h).
inline constexpr std::size_t group_name_size = 8;
inline constexpr std::size_t maximum_group_message = (256 << 10) + 16;

struct PayloadLimits {
    std::size_t minimum = 0;
    std::size_t maximum = 0;
};

// The sizes a payload of this type may have; empty for a type that does not exist.
std::optional<PayloadLimits> payload_limits(std::uint8_t type);

struct FrameHeader {
    FrameType type{};
    std::size_t payload_size = 0;
};

// Requires: bytes.size() >= frame_header_size. Refuses unknown types and sizes outside the type's limits.
Result<FrameHeader> parse_frame_header(ByteView bytes);
void append_frame_header(Bytes& out, FrameType type, std::size_t payload_size);

// How protocol code sends: implemented by the links of a node and by the simulator's network.
class FrameSender {
public:
    virtual ~FrameSender() = default;

    // Queues one frame whose payload is the parts' concatenation, and connects first if there is no link. The parts are
    // copied before it returns. Fails at once with `unavailable` when no address of the node is known, or a dial failed
    // just now; with `exhausted` when the peer's queue is full. When the link is lost later, an event says so. Frames
    // to one peer arrive in order or not at all.
    virtual Status send(const NodeId& to, FrameType type, std::initializer_list<ByteView> parts) = 0;

    // Bytes queued towards a peer and not yet handed to the operating system.
    virtual std::size_t queued_bytes(const NodeId& to) const = 0;
};

}  // namespace planetserve::wire
