// Stands between a user node and its links: disturbs the cells it sends, or writes down every frame in either
// direction.
#pragma once

#include <boost/asio/io_context.hpp>
#include <fstream>
#include <memory>
#include <optional>
#include <string>

#include "base/random.h"
#include "wire/frame.h"

namespace planetserve::lab {

enum class Mode { honest, corrupt, drop, duplicate, replay, delay };

// The mode of that name.
std::optional<Mode> parse_mode(const std::string& name);

// Writes records of: direction ('<' received, '>' sent), peer (32 bytes), type (1), size (4, big-endian), payload.
class Recorder {
public:
    explicit Recorder(const std::string& file) : out_(file, std::ios::binary | std::ios::trunc) {}
    void record(char direction, const NodeId& peer, wire::FrameType type, ByteView payload);

private:
    std::ofstream out_;
};

class HostileSender final : public wire::FrameSender {
public:
    HostileSender(wire::FrameSender& links, Mode mode, Recorder* recorder, Random& random,
                  boost::asio::io_context& context)
        : links_(links), mode_(mode), recorder_(recorder), random_(random), context_(context) {}

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override;
    std::size_t queued_bytes(const NodeId& to) const override { return links_.queued_bytes(to); }

private:
    Status pass(const NodeId& to, wire::FrameType type, ByteView payload);
    // One in so many cells.
    bool one_in(std::uint32_t count);

    wire::FrameSender& links_;
    Mode mode_;
    Recorder* recorder_;
    Random& random_;
    boost::asio::io_context& context_;
    std::optional<std::pair<NodeId, Bytes>> kept_;  // an old cell, for replaying
};

}  // namespace planetserve::lab
