#include "simulator/network.h"

#include <algorithm>

namespace planetserve::simulator {

class Network::Sender final : public wire::FrameSender {
public:
    Sender(Network& network, NodeNumber self) : network_(network), self_(self) {}

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        return network_.send(self_, to, type, parts);
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }

private:
    Network& network_;
    NodeNumber self_;
};

Network::Network(EventQueue& events, Delay delay) : events_(events), delay_(std::move(delay)) {}
Network::~Network() = default;

Network::NodeNumber Network::number_of(const NodeId& id) {
    auto [found, is_new] = numbers_.try_emplace(id, static_cast<NodeNumber>(nodes_.size()));
    if (is_new) {
        ids_.push_back(id);
        nodes_.emplace_back().sender = std::make_unique<Sender>(*this, found->second);
    }
    return found->second;
}

Network::LinkNumber Network::link_to(NodeNumber from, const NodeId& to) {
    // The one look-up of a frame: among the sender's own links, not among all nodes.
    const std::size_t hash = IdHash{}(to);
    auto known = nodes_[from].links.find(hash, [&](LinkNumber number) {
        const auto& ends = links_[number].ends;
        return ids_[ends[0] == from ? ends[1] : ends[0]] == to;
    });
    if (known) return *known;
    const NodeNumber other = number_of(to);
    const auto number = static_cast<LinkNumber>(links_.size());
    links_.emplace_back().ends = {from, other};
    nodes_[from].links.insert(hash, number);
    if (other != from) nodes_[other].links.insert(IdHash{}(ids_[from]), number);
    return number;
}

Network::NodeState* Network::find(const NodeId& id) {
    auto found = numbers_.find(id);
    return found == numbers_.end() ? nullptr : &nodes_[found->second];
}

wire::FrameSender& Network::sender(const NodeId& self) { return *nodes_[number_of(self)].sender; }

void Network::attach(const NodeId& id, Host& host) {
    NodeNumber number = number_of(id);
    NodeState& node = nodes_[number];
    node.silent = false;
    // A machine that comes back knows nothing of the links it had.
    if (node.host == nullptr) end_links_of(number);
    node.host = &host;
    node.memory = host.memory();
    node.armed = Time::max();
    rearm(number);
}

bool Network::alive(const NodeId& id) const {
    auto found = numbers_.find(id);
    return found != numbers_.end() && nodes_[found->second].host != nullptr;
}

void Network::kill(const NodeId& id) {
    NodeState* node = find(id);
    if (node == nullptr || node->host == nullptr) return;
    node->host = nullptr;
    end_links_of(numbers_.at(id));
}

void Network::vanish(const NodeId& id) {
    NodeState* node = find(id);
    if (node == nullptr || node->host == nullptr) return;
    node->host = nullptr;
    node->silent = true;
    NodeNumber number = numbers_.at(id);
    std::vector<NodeNumber> neighbours = node->neighbours;
    for (NodeNumber peer : neighbours) {
        const LinkNumber link = link_between(number, peer);
        events_.after(silence, [this, link, number, peer, epoch = links_[link].epoch] {
            if (links_[link].up && links_[link].epoch == epoch) end_link(number, peer);
        });
    }
}

void Network::end_links_of(NodeNumber number) {
    std::vector<NodeNumber> neighbours = nodes_[number].neighbours;
    for (NodeNumber peer : neighbours) end_link(number, peer);
}

// The one that is dead is told nothing.
void Network::end_link(NodeNumber one, NodeNumber other) {
    const LinkNumber number = link_between(one, other);
    Link& link = links_[number];
    link.up = false;
    ++link.epoch;
    if (auto held = held_.extract(number); !held.empty())
        free_flights_.insert(free_flights_.end(), held.mapped().begin(), held.mapped().end());
    std::erase(nodes_[one].neighbours, other);
    std::erase(nodes_[other].neighbours, one);
    bool reset = !nodes_[one].silent && !nodes_[other].silent && nodes_[one].group == nodes_[other].group;
    Duration after = reset ? delay_(ids_[one], ids_[other]) : Duration{};
    tell_link_down(one, other, after);
    tell_link_down(other, one, after);
}

void Network::tell_link_down(NodeNumber number, NodeNumber peer, Duration after) {
    if (nodes_[number].host == nullptr) return;
    events_.after(after, [this, number, peer] {
        NodeState& node = nodes_[number];
        if (node.host == nullptr) return;
        const NodeId lost = ids_[peer];
        if (trace_ != nullptr) trace_->link_down(events_.now(), ids_[number], lost);
        node.host->on_link_down(lost);
        rearm(number);
    });
}

void Network::separate(std::span<const NodeId> nodes, std::uint32_t group) {
    const Time now = events_.now();
    for (const NodeId& id : nodes) {
        NodeState& node = nodes_[number_of(id)];
        node.group = group;
        node.grouped = now;
    }
    for (const NodeId& id : nodes) {
        const NodeNumber number = number_of(id);
        std::vector<NodeNumber> neighbours = nodes_[number].neighbours;
        for (NodeNumber peer : neighbours) {
            const LinkNumber link = link_between(number, peer);
            if (nodes_[number].group == nodes_[peer].group) {
                if (auto held = held_.extract(link); !held.empty())
                    for (FlightNumber flight : held.mapped()) depart(flight);
                continue;
            }
            events_.after(silence, [this, link, number, peer, now, epoch = links_[link].epoch] {
                const NodeState& node = nodes_[number];
                if (links_[link].up && links_[link].epoch == epoch && node.grouped == now &&
                    node.group != nodes_[peer].group)
                    end_link(number, peer);
            });
        }
    }
}

void Network::slow(const NodeId& id, Duration extra) { nodes_[number_of(id)].slowness = extra; }
void Network::corrupt(const NodeId& id, std::uint32_t every) { nodes_[number_of(id)].corrupt_every = every; }
void Network::drop(const NodeId& id, std::uint32_t every) { nodes_[number_of(id)].drop_every = every; }

Status Network::send(NodeNumber from, const NodeId& to_id, wire::FrameType type,
                     std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (ByteView part : parts) size += part.size();
    auto limits = wire::payload_limits(static_cast<std::uint8_t>(type));
    if (!limits || size < limits->minimum || size > limits->maximum)
        return fail(ErrorCode::invalid_argument, "a frame outside its type's limits");
    if (nodes_[from].host == nullptr) return fail(ErrorCode::unavailable, "the sender is dead");
    const LinkNumber link_number = link_to(from, to_id);
    Link& link = links_[link_number];
    const NodeNumber to = link.ends[0] == from ? link.ends[1] : link.ends[0];
    NodeState& sender = nodes_[from];
    NodeState& receiver = nodes_[to];
    const bool separated = sender.group != receiver.group;
    if (!link.up) {
        if (receiver.host == nullptr || separated) {
            // Dialling a dead node fails a little later, as it does over TCP.
            tell_link_down(from, to, receiver.silent || separated ? dial_deadline : delay_(ids_[from], to_id));
            return {};
        }
        link.up = true;
        sender.neighbours.push_back(to);
        receiver.neighbours.push_back(from);
    }
    ++frames_;
    bytes_ += size + wire::frame_header_size;
    const FlightNumber number = take_flight();
    Flight& flight = flights_[number];
    flight.from = from;
    flight.to = to;
    flight.link = link_number;
    flight.epoch = link.epoch;
    flight.type = type;
    flight.payload.clear();
    flight.payload.reserve(size);
    for (ByteView part : parts) append(flight.payload, part);
    if (tap_) tap_(events_.now(), Frame{ids_[from], to_id, type, flight.payload});
    flight.delay = delay_(ids_[from], to_id) + sender.slowness;
    ++sender.sent;
    if (sender.drop_every > 0 && sender.sent % sender.drop_every == 0) {
        free_flights_.push_back(number);
        return {};
    }
    if (sender.corrupt_every > 0 && sender.sent % sender.corrupt_every == 0)
        flight.payload[sender.sent % flight.payload.size()] ^= 4;
    if (interference_)
        interfered(number);
    else
        depart_or_wait(number, separated);
    return {};
}

void Network::interfered(FlightNumber number) {
    Flight original = std::move(flights_[number]);
    free_flights_.push_back(number);
    const bool separated = nodes_[original.from].group != nodes_[original.to].group;
    const Frame frame{ids_[original.from], ids_[original.to], original.type, std::move(original.payload)};
    for (auto& [extra, payload] : interference_(frame)) {
        const FlightNumber copy = take_flight();
        flights_[copy] = Flight{original.from, original.to,        original.link,         original.epoch,
                                original.type, std::move(payload), original.delay + extra};
        depart_or_wait(copy, separated);
    }
}

Network::FlightNumber Network::take_flight() {
    if (free_flights_.empty()) {
        flights_.emplace_back();
        return static_cast<FlightNumber>(flights_.size() - 1);
    }
    FlightNumber number = free_flights_.back();
    free_flights_.pop_back();
    return number;
}

void Network::depart_or_wait(FlightNumber number, bool separated) {
    if (separated)
        held_[flights_[number].link].push_back(number);
    else
        depart(number);
}

void Network::depart(FlightNumber number) {
    const Flight& flight = flights_[number];
    Link& link = links_[flight.link];
    Time& last = link.last_arrival[link.ends[0] == flight.to ? 0 : 1];
    last = std::max(last, events_.now() + flight.delay);
    events_.at(
        last, [this, number] { arrive(number); }, std::as_bytes(std::span(flight.payload)), nodes_[flight.to].memory);
}

void Network::arrive(FlightNumber number) {
    // Moved out, since what the host sends in answer may move all flights.
    Flight flight = std::move(flights_[number]);
    const Link& link = links_[flight.link];
    Host* host = nodes_[flight.to].host;
    if (host != nullptr && link.up && link.epoch == flight.epoch) {
        const NodeId from = ids_[flight.from];
        if (trace_ != nullptr) trace_->delivered(events_.now(), from, ids_[flight.to], flight.type, flight.payload);
        if (arrivals_) arrivals_->before(events_.now(), from, ids_[flight.to], flight.type, flight.payload);
        host->on_frame(from, flight.type, flight.payload);
        if (arrivals_) arrivals_->after();
        rearm(flight.to);
    }
    flights_[number].payload = std::move(flight.payload);
    free_flights_.push_back(number);
}

void Network::rearm(const NodeId& id) {
    auto found = numbers_.find(id);
    if (found != numbers_.end()) rearm(found->second);
}

void Network::rearm(NodeNumber number) {
    NodeState& node = nodes_[number];
    if (node.host == nullptr) return;
    Time next = node.host->next_timer();
    if (next >= node.armed || next == Time::max()) return;
    node.armed = next;
    // A timer that was put forward finds nothing armed, or a later time, when its own comes.
    events_.at(
        next,
        [this, number] {
            NodeState& due = nodes_[number];
            if (due.host == nullptr || due.armed > events_.now()) return;
            due.armed = Time::max();
            due.host->on_timer();
            rearm(number);
        },
        node.memory);
}

}  // namespace planetserve::simulator
