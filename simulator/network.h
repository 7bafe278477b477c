// A virtual network: carries the frames that nodes' own protocol code sends, with delays, losses of nodes, and
// interference.
//
// A link between two nodes exists from the first frame either sends. Frames of one direction arrive in order, as over
// TCP. Links end, and nodes learn of it, as with the nodes' own links (docs/protocols/links.md):
//   a process that dies (kill): its neighbours learn one delay later; a node that dials it, one delay later
//   a machine that falls silent (vanish), or is cut off (separate): its neighbours learn after `silence`; a node that
//   dials it, after `dial_deadline`
// Frames to either are lost; those that were under way over a link that ended do not arrive. Across a separation, links
// that were up hold frames back, until it ends or they are lost.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/random.h"
#include "base/slot_index.h"
#include "simulator/event_queue.h"
#include "simulator/trace.h"
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
    // Where its state begins, to be fetched before an event that concerns it.
    virtual EventQueue::Memory memory() const { return {}; }
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
    // Called with each frame that arrives: before the host takes it, and after.
    struct ArrivalWatch {
        std::function<void(Time, const NodeId& from, const NodeId& to, wire::FrameType, ByteView payload)> before;
        std::function<void()> after;
    };

    // A link's keep-alive and its deadline, and the deadline of dialling.
    static constexpr Duration silence = 25s;
    static constexpr Duration dial_deadline = 5s;

    Network(EventQueue& events, Delay delay);
    ~Network();

    // The sender that a node's protocol code is built with; it lives as long as the network.
    wire::FrameSender& sender(const NodeId& self);
    void attach(const NodeId& id, Host& host);
    bool alive(const NodeId& id) const;
    // Call after giving a host anything but a frame, so that its next timer is honoured.
    void rearm(const NodeId& id);

    // The process dies, or the machine falls silent: it gets nothing more. It may be attached again.
    void kill(const NodeId& id);
    void vanish(const NodeId& id);
    // Nodes of different groups do not reach each other; all are of group 0 at first.
    void separate(std::span<const NodeId> nodes, std::uint32_t group);
    // All that the node sends takes this much longer.
    void slow(const NodeId& id, Duration extra);
    // One bit of every so many frames that the node sends is changed, or the frame is lost; 0: of none.
    void corrupt(const NodeId& id, std::uint32_t every);
    void drop(const NodeId& id, std::uint32_t every);

    void interfere(Interference interference) { interference_ = std::move(interference); }
    void tap(Tap tap) { tap_ = std::move(tap); }
    void watch_arrivals(ArrivalWatch watch) { arrivals_ = std::move(watch); }
    // Every delivery and lost link from now on. It outlives the network, or null.
    void record(Trace* trace) { trace_ = trace; }

    std::uint64_t frames() const { return frames_; }
    std::uint64_t bytes() const { return bytes_; }

private:
    class Sender;
    using NodeNumber = std::uint32_t;
    using LinkNumber = std::uint32_t;
    using FlightNumber = std::uint32_t;
    struct NodeState {
        Host* host = nullptr;  // null: dead
        EventQueue::Memory memory;
        Time armed = Time::max();
        std::uint32_t group = 0;
        std::uint32_t corrupt_every = 0;
        std::uint32_t drop_every = 0;
        std::uint32_t sent = 0;
        Duration slowness{};
        SlotIndex links;      // by the other's id, into links_
        bool silent = false;  // dead, and nothing answers in its place
        Time grouped{};       // when it came into the group
        std::vector<NodeNumber> neighbours;
        std::unique_ptr<Sender> sender;
    };
    struct Link {
        std::array<NodeNumber, 2> ends{};
        std::uint32_t epoch = 0;  // of the link, since the two may have one after the other
        bool up = false;
        std::array<Time, 2> last_arrival{};  // at each of the ends
    };
    // A frame under way. Its place and the memory of its payload are used again.
    struct Flight {
        NodeNumber from = 0;
        NodeNumber to = 0;
        LinkNumber link = 0;
        std::uint32_t epoch = 0;
        wire::FrameType type{};
        Bytes payload;
        Duration delay{};
    };

    NodeNumber number_of(const NodeId& id);
    NodeState* find(const NodeId& id);
    // The link of the two, of which there is one from then on.
    LinkNumber link_to(NodeNumber from, const NodeId& to);
    LinkNumber link_between(NodeNumber one, NodeNumber other) { return link_to(one, ids_[other]); }
    Status send(NodeNumber from, const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts);
    void interfered(FlightNumber flight);
    FlightNumber take_flight();
    void depart_or_wait(FlightNumber flight, bool separated);
    void depart(FlightNumber flight);
    void arrive(FlightNumber flight);
    void end_link(NodeNumber one, NodeNumber other);
    void end_links_of(NodeNumber node);
    void tell_link_down(NodeNumber node, NodeNumber peer, Duration after);
    void rearm(NodeNumber number);

    EventQueue& events_;
    Delay delay_;
    Interference interference_;
    Tap tap_;
    std::optional<ArrivalWatch> arrivals_;
    Trace* trace_ = nullptr;
    std::unordered_map<NodeId, NodeNumber, IdHash> numbers_;
    std::vector<NodeId> ids_;  // these two by number
    std::vector<NodeState> nodes_;
    std::vector<Link> links_;                                         // never forgotten
    std::unordered_map<LinkNumber, std::vector<FlightNumber>> held_;  // frames that wait for a separation to end
    std::vector<Flight> flights_;
    std::vector<FlightNumber> free_flights_;
    std::uint64_t frames_ = 0;
    std::uint64_t bytes_ = 0;
};

}  // namespace planetserve::simulator
