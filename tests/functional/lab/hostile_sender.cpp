#include "hostile_sender.h"

#include <array>
#include <boost/asio/steady_timer.hpp>

namespace planetserve::lab {

std::optional<Mode> parse_mode(const std::string& name) {
    constexpr std::array names{"honest", "corrupt", "drop", "duplicate", "replay", "delay"};
    for (std::size_t i = 0; i < names.size(); ++i)
        if (name == names[i]) return static_cast<Mode>(i);
    return std::nullopt;
}

void Recorder::record(char direction, const NodeId& peer, wire::FrameType type, ByteView payload) {
    out_.put(direction);
    out_.write(reinterpret_cast<const char*>(peer.value.data()), static_cast<std::streamsize>(peer.value.size()));
    out_.put(static_cast<char>(type));
    for (int shift = 24; shift >= 0; shift -= 8) out_.put(static_cast<char>(payload.size() >> shift));
    out_.write(reinterpret_cast<const char*>(payload.data()), static_cast<std::streamsize>(payload.size()));
    out_.flush();
}

bool HostileSender::one_in(std::uint32_t count) {
    std::array<std::uint8_t, 4> bytes;
    random_.fill(bytes);
    return (bytes[0] | bytes[1] << 8) % count == 0;
}

Status HostileSender::pass(const NodeId& to, wire::FrameType type, ByteView payload) {
    if (recorder_ != nullptr) recorder_->record('>', to, type, payload);
    return links_.send(to, type, {payload});
}

Status HostileSender::send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) {
    Bytes payload;
    for (const auto& part : parts) payload.insert(payload.end(), part.begin(), part.end());
    if (type != wire::FrameType::path_cell) return pass(to, type, payload);
    switch (mode_) {
        case Mode::honest:
            return pass(to, type, payload);
        case Mode::corrupt:
            if (one_in(3)) payload[payload.size() / 2] ^= 0x10;
            return pass(to, type, payload);
        case Mode::drop:
            return one_in(3) ? Status{} : pass(to, type, payload);
        case Mode::duplicate:
            if (auto sent = pass(to, type, payload); !sent || !one_in(3)) return sent;
            return pass(to, type, payload);
        case Mode::replay:
            if (kept_ && one_in(3)) (void)pass(kept_->first, type, kept_->second);
            if (!kept_ || one_in(8)) kept_.emplace(to, payload);
            return pass(to, type, payload);
        case Mode::delay: {
            if (!one_in(3)) return pass(to, type, payload);
            auto timer = std::make_shared<boost::asio::steady_timer>(context_, std::chrono::milliseconds(300));
            timer->async_wait([this, timer, to, type, payload](boost::system::error_code error) {
                if (!error) (void)pass(to, type, payload);
            });
            return {};
        }
    }
    return {};
}

}  // namespace planetserve::lab
