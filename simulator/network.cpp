#include "simulator/network.h"

namespace planetserve::simulator {

class Network::Sender final : public wire::FrameSender {
public:
    Sender(Network& network, const NodeId& self) : network_(network), self_(self) {}

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        return network_.send(self_, to, type, parts);
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }

private:
    Network& network_;
    NodeId self_;
};

Network::Network(EventQueue& events, Delay delay) : events_(events), delay_(std::move(delay)) {}
Network::~Network() = default;

wire::FrameSender& Network::sender(const NodeId& self) {
    auto& sender = senders_[self];
    if (!sender) sender = std::make_unique<Sender>(*this, self);
    return *sender;
}

void Network::attach(const NodeId& id, Host& host) {
    hosts_[id] = HostState{&host, Time::max(), next_generation_++};
    rearm(id);
}

void Network::kill(const NodeId& id) {
    hosts_.erase(id);
    auto peers = links_.extract(id);
    if (peers.empty()) return;
    for (const NodeId& peer : peers.mapped()) {
        links_[peer].erase(id);
        events_.after(delay_(id, peer),
                      [this, peer, id] { with_host(peer, [&](Host& host) { host.on_link_down(id); }); });
    }
}

Status Network::send(const NodeId& from, const NodeId& to, wire::FrameType type,
                     std::initializer_list<ByteView> parts) {
    Frame frame{from, to, type, {}};
    for (ByteView part : parts) append(frame.payload, part);
    auto limits = wire::payload_limits(static_cast<std::uint8_t>(type));
    if (!limits || frame.payload.size() < limits->minimum || frame.payload.size() > limits->maximum)
        return fail(ErrorCode::invalid_argument, "a frame outside its type's limits");
    if (!hosts_.contains(from)) return fail(ErrorCode::unavailable, "the sender is dead");
    if (!hosts_.contains(to)) {
        // Dialling a dead node fails a little later, as it does over TCP.
        events_.after(delay_(from, to),
                      [this, from, to] { with_host(from, [&](Host& host) { host.on_link_down(to); }); });
        return {};
    }
    links_[from].insert(to);
    links_[to].insert(from);
    ++frames_;
    bytes_ += frame.payload.size() + wire::frame_header_size;
    if (tap_) tap_(events_.now(), frame);
    Duration delay = delay_(from, to);
    if (!interference_) {
        deliver(std::move(frame), delay);
        return {};
    }
    for (auto& [extra, payload] : interference_(frame))
        deliver(Frame{from, to, type, std::move(payload)}, delay + extra);
    return {};
}

void Network::deliver(Frame frame, Duration delay) {
    Time& last = last_arrival_[{frame.from, frame.to}];
    last = std::max(last, events_.now() + delay);
    events_.at(last, [this, frame = std::move(frame)]() mutable {
        auto links = links_.find(frame.to);
        if (links == links_.end() || !links->second.contains(frame.from)) return;
        with_host(frame.to, [&](Host& host) { host.on_frame(frame.from, frame.type, frame.payload); });
    });
}

template <typename Call>
void Network::with_host(const NodeId& id, Call&& call) {
    auto found = hosts_.find(id);
    if (found == hosts_.end()) return;
    call(*found->second.host);
    rearm(id);
}

void Network::rearm(const NodeId& id) {
    auto found = hosts_.find(id);
    if (found == hosts_.end()) return;
    Time next = found->second.host->next_timer();
    if (next >= found->second.armed || next == Time::max()) return;
    found->second.armed = next;
    std::uint64_t generation = found->second.generation;
    events_.at(next, [this, id, next, generation] {
        auto host = hosts_.find(id);
        if (host == hosts_.end() || host->second.generation != generation || host->second.armed != next) return;
        host->second.armed = Time::max();
        host->second.host->on_timer();
        rearm(id);
    });
}

}  // namespace planetserve::simulator
