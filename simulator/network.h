// A virtual network: carries the frames that nodes' own protocol code sends, with delays, losses of nodes, and
// interference.
//
// A link between two nodes exists from the first frame either sends. Frames of one direction arrive in order, as over
// TCP. When a node dies its neighbours learn of it one delay later; frames to it are lost.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "simulator/event_queue.h"
#include "wire/frame.h"

namespace planetserve::simulator {

// A node as the network sees it.
class Host {
public:
    virtual ~Host() = default;
    virtual void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) = 0;
    virtual void on_link_down(const NodeId& peer) = 0;
    virtual void on_timer() = 0;
    virtual Time next_timer() const = 0;
};

struct Frame {
    NodeId from;
    NodeId to;
    wire::FrameType type{};
    Bytes payload;
};

class Network {
public:
    // What a hostile node or a bad line does to a frame on its way: returns the copies to deliver, each with an extra
    // delay.
    using Interference = std::function<std::vector<std::pair<Duration, Bytes>>(const Frame&)>;
    using Delay = std::function<Duration(const NodeId& from, const NodeId& to)>;
    using Tap = std::function<void(Time, const Frame&)>;

    Network(EventQueue& events, Delay delay);
    ~Network();

    // The sender that a node's protocol code is built with; it lives as long as the network.
    wire::FrameSender& sender(const NodeId& self);
    void attach(const NodeId& id, Host& host);
    // The process dies: it gets nothing more, and its neighbours lose their links.
    void kill(const NodeId& id);
    bool alive(const NodeId& id) const { return hosts_.contains(id); }

    void interfere(Interference interference) { interference_ = std::move(interference); }
    void tap(Tap tap) { tap_ = std::move(tap); }
    // Call after giving a host anything but a frame, so that its next timer is honoured.
    void rearm(const NodeId& id);

    std::uint64_t frames() const { return frames_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    class Sender;
    struct HostState {
        Host* host = nullptr;
        Time armed = Time::max();
        std::uint64_t generation = 0;
    };

    Status send(const NodeId& from, const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts);
    void deliver(Frame frame, Duration delay);
    template <typename Call>
    void with_host(const NodeId& id, Call&& call);

    EventQueue& events_;
    Delay delay_;
    Interference interference_;
    Tap tap_;
    std::unordered_map<NodeId, std::unique_ptr<Sender>, IdHash> senders_;
    std::unordered_map<NodeId, HostState, IdHash> hosts_;
    std::map<NodeId, std::set<NodeId>> links_;
    std::map<std::pair<NodeId, NodeId>, Time> last_arrival_;
    std::uint64_t next_generation_ = 1;
    std::uint64_t frames_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace planetserve::simulator
