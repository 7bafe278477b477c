#include "wire/frame.h"

#include "base/requires.h"
#include "wire/goodbye.h"
#include "wire/path_sizes.h"

namespace planetserve::wire {

namespace {

// A hello has 102 bytes at most; later versions may append to it.
constexpr std::size_t maximum_hello_size = 1024;
constexpr std::size_t ping_size = 8;
// A code, and at most an error in words.
constexpr std::size_t maximum_forward_control = 4096;
constexpr std::size_t call_id_size = 8;
// The largest question is a transaction of 16 KiB, the largest answer a page of the directory's list.
constexpr std::size_t maximum_question_size = 32 << 10;
constexpr std::size_t maximum_answer_size = 1 << 20;
constexpr std::size_t epoch_size = 8;
constexpr std::size_t maximum_transcript_size = 1 << 20;

}  // namespace

std::optional<PayloadLimits> payload_limits(std::uint8_t type) {
    switch (static_cast<FrameType>(type)) {
        case FrameType::hello:
            return PayloadLimits{0, maximum_hello_size};
        case FrameType::ping:
        case FrameType::pong:
            return PayloadLimits{ping_size, ping_size};
        case FrameType::goodbye:
            return PayloadLimits{1, maximum_goodbye_size};
        case FrameType::path_setup:
            return PayloadLimits{PathId::size + setup_packet_size, PathId::size + setup_packet_size};
        case FrameType::path_cell:
            return PayloadLimits{PathId::size + cell_size, PathId::size + cell_size};
        case FrameType::path_destroy:
            return PayloadLimits{PathId::size + 1, PathId::size + 1};
        case FrameType::clove_forward:
            return PayloadLimits{1, maximum_clove_size};
        case FrameType::clove_reply:
            return PayloadLimits{ReplyHandle::size + 1, ReplyHandle::size + maximum_clove_size};
        case FrameType::reply_closed:
            return PayloadLimits{ReplyHandle::size, ReplyHandle::size};
        case FrameType::forward_request:
            return PayloadLimits{exchange_id_size + 4,
                                 exchange_id_size + 4 + maximum_forward_head + maximum_forwarded_body};
        case FrameType::forward_answer:
            return PayloadLimits{exchange_id_size + 1, exchange_id_size + 1};
        case FrameType::forward_control:
            return PayloadLimits{exchange_id_size + 1, exchange_id_size + maximum_forward_control};
        case FrameType::group_sync:
            return PayloadLimits{group_name_size + 1, group_name_size + maximum_group_message};
        case FrameType::call_request:
            return PayloadLimits{call_id_size, maximum_question_size};
        case FrameType::call_response:
            return PayloadLimits{call_id_size, maximum_answer_size};
        case FrameType::transcript_request:
            return PayloadLimits{epoch_size, epoch_size};
        case FrameType::transcript:
            return PayloadLimits{epoch_size, maximum_transcript_size};
    }
    return std::nullopt;
}

Result<FrameHeader> parse_frame_header(ByteView bytes) {
    REQUIRES(bytes.size() >= frame_header_size);
    auto limits = payload_limits(bytes[0]);
    if (!limits) return fail(ErrorCode::malformed, "frame of unknown type " + std::to_string(bytes[0]));
    std::size_t size = static_cast<std::size_t>(bytes[1]) << 16 | static_cast<std::size_t>(bytes[2]) << 8 | bytes[3];
    if (size < limits->minimum || size > limits->maximum)
        return fail(ErrorCode::malformed, "frame of type " + std::to_string(bytes[0]) + " with " +
                                              std::to_string(size) + " bytes, allowed are " +
                                              std::to_string(limits->minimum) + " to " +
                                              std::to_string(limits->maximum));
    return FrameHeader{static_cast<FrameType>(bytes[0]), size};
}

void append_frame_header(Bytes& out, FrameType type, std::size_t payload_size) {
    out.push_back(static_cast<std::uint8_t>(type));
    out.push_back(static_cast<std::uint8_t>(payload_size >> 16));
    out.push_back(static_cast<std::uint8_t>(payload_size >> 8));
    out.push_back(static_cast<std::uint8_t>(payload_size));
}

}  // namespace planetserve::wire
