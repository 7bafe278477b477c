// For the tests of paths: relays, proxies, a user and an echoing model node on a virtual network, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stdexcept>
#include <vector>

#include "onion/path_pool.h"
#include "onion/proxy.h"
#include "simulator/network.h"

namespace planetserve::onion::testing_support {

using simulator::EventQueue;
using simulator::Network;

inline constexpr Duration hop_delay = 10ms;

// A node's links with lines of a finite rate: what goes to a peer waits in a queue, as with the nodes' own links.
class Lines final : public wire::FrameSender {
public:
    Lines(EventQueue& clock, wire::FrameSender& network) : clock_(clock), network_(network) {}

    // Without a rate, frames go out at once.
    void limit(double bytes_per_second) { bytes_per_second_ = bytes_per_second; }
    std::function<void(const NodeId&)> on_drained = [](const NodeId&) {};

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        if (bytes_per_second_ == 0) return network_.send(to, type, parts);
        Line& line = lines_[to];
        Bytes payload;
        for (ByteView part : parts) append(payload, part);
        if (line.queued + payload.size() > maximum_queue) return fail(ErrorCode::exhausted, "the queue is full");
        line.queued += payload.size();
        line.most = std::max(line.most, line.queued);
        if (line.queued > high_water) line.above = true;
        line.frames.emplace_back(type, std::move(payload));
        if (line.frames.size() == 1) depart(to);
        return {};
    }
    std::size_t queued_bytes(const NodeId& to) const override {
        auto line = lines_.find(to);
        return line == lines_.end() ? 0 : line->second.queued;
    }
    // The longest that the queue to the peer was.
    std::size_t most_queued(const NodeId& to) { return lines_[to].most; }

private:
    static constexpr std::size_t maximum_queue = 16 << 20;  // as LinkOptions
    static constexpr std::size_t high_water = 256 << 10;
    struct Line {
        std::deque<std::pair<wire::FrameType, Bytes>> frames;
        std::size_t queued = 0;
        std::size_t most = 0;
        bool above = false;
    };

    void depart(const NodeId& to) {
        const double seconds = static_cast<double>(lines_[to].frames.front().second.size()) / bytes_per_second_;
        clock_.after(std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds)), [this, to] {
            Line& line = lines_[to];
            auto [type, payload] = std::move(line.frames.front());
            line.frames.pop_front();
            line.queued -= payload.size();
            (void)network_.send(to, type, {payload});
            if (!line.frames.empty()) depart(to);
            if (line.queued <= high_water / 2 && std::exchange(line.above, false)) on_drained(to);
        });
    }

    EventQueue& clock_;
    wire::FrameSender& network_;
    double bytes_per_second_ = 0;
    std::map<NodeId, Line> lines_;
};

class RelayHost final : public simulator::Host {
public:
    RelayHost(EventQueue& clock, Network& network, Random& random, RelayLimits limits = {},
              ProxyLimits proxy_limits = {})
        : id(random.id<NodeId>()),
          key(crypto::AgreementKey::generate(random)),
          clock_(clock),
          lines(clock, network.sender(id)),
          relay(id, key, limits, lines, random),
          proxy(relay, proxy_limits, lines) {
        network.attach(id, *this);
        lines.on_drained = [this](const NodeId& peer) {
            relay.on_drained(peer);
            proxy.on_drained(peer);
        };
    }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        switch (type) {
            case wire::FrameType::path_setup:
                relay.on_setup(from, payload, clock_.read());
                break;
            case wire::FrameType::path_cell:
                relay.on_cell(from, payload, clock_.now());
                break;
            case wire::FrameType::path_destroy:
                relay.on_destroy(from, payload);
                break;
            case wire::FrameType::clove_reply:
                proxy.on_clove_reply(from, payload, clock_.now());
                break;
            default:
                FAIL() << "unexpected frame";
        }
    }
    void on_link_down(const NodeId& peer) override {
        relay.on_link_down(peer);
        proxy.on_link_down(peer);
    }
    void on_timer() override {
        relay.on_timer(clock_.now());
        proxy.on_timer(clock_.now());
    }
    Time next_timer() const override { return std::min(relay.next_timer(), proxy.next_timer()); }

    NodeId id;
    crypto::AgreementKey key;

private:
    EventQueue& clock_;

public:
    Lines lines;
    Relay relay;
    Proxy proxy;
};

// Builds one path and says what it likes on it: it keeps to no window, grants no credit and sends no probes.
class RawBuilder final : public simulator::Host {
public:
    struct Cell {
        Command command{};
        StreamId stream = 0;
        Bytes payload;
        Time at{};
    };

    RawBuilder(EventQueue& clock, Network& network, Random& random)
        : id(random.id<NodeId>()), clock_(clock), random_(random), sender_(network.sender(id)) {
        network.attach(id, *this);
    }

    // The path is up after a round trip.
    void build(std::vector<SetupHop> hops) {
        auto built = build_setup(hops, expiry_minutes(clock_.unix_now()) + 30, random_).value();
        first_ = hops.front().id;
        cipher_.emplace(std::move(built.keys));
        path_ = random_.id<PathId>();
        ASSERT_TRUE(sender_.send(first_, wire::FrameType::path_setup, {path_.bytes(), built.packet}));
    }
    void send(const CellHead& head, std::initializer_list<ByteView> parts) {
        CellBody body;
        write_inner(body, head, parts);
        cipher_->seal(body);
        ASSERT_TRUE(sender_.send(first_, wire::FrameType::path_cell, {path_.bytes(), body}));
    }
    ReplyHandle open(StreamId stream, const NodeId& model) {
        auto handle = random_.id<ReplyHandle>();
        send({Command::open, stream}, {model.bytes(), handle.bytes()});
        return handle;
    }
    void clove(StreamId stream, std::size_t size) { clove(stream, Bytes(size)); }
    void clove(StreamId stream, const Bytes& content) {
        cut_clove(content, [&](ClovePart part, ByteView head, ByteView bytes) {
            send({Command::data, stream, part}, {head, bytes});
        });
    }
    std::size_t count(Command command) const {
        return static_cast<std::size_t>(std::ranges::count(cells, command, &Cell::command));
    }

    void on_frame(const NodeId&, wire::FrameType type, MutableByteView payload) override {
        if (type == wire::FrameType::path_destroy) down = static_cast<DestroyReason>(payload.back());
        if (type != wire::FrameType::path_cell) return;
        MutableByteView body = payload.subspan(PathId::size);
        ASSERT_TRUE(cipher_->open(body));
        auto cell = read_inner(body).value();
        cells.push_back({cell.head.command, cell.head.stream, to_bytes(cell.payload), clock_.now()});
    }
    void on_link_down(const NodeId&) override {}
    void on_timer() override {}
    Time next_timer() const override { return Time::max(); }

    NodeId id;
    std::vector<Cell> cells;
    std::optional<DestroyReason> down;

private:
    EventQueue& clock_;
    Random& random_;
    wire::FrameSender& sender_;
    NodeId first_;
    PathId path_;
    std::optional<PathCipher> cipher_;
};

class UserHost final : public simulator::Host, public PoolEvents {
public:
    UserHost(EventQueue& clock, Network& network, Random& random, PoolOptions options)
        : id(random.id<NodeId>()), clock_(clock), pool(id, options, network.sender(id), random, *this) {
        network.attach(id, *this);
    }

    void on_frame(const NodeId&, wire::FrameType type, MutableByteView payload) override {
        if (type == wire::FrameType::path_cell) pool.on_cell(payload, clock_.read());
        if (type == wire::FrameType::path_destroy) pool.on_destroy(payload, clock_.read());
    }
    void on_link_down(const NodeId& peer) override { pool.on_link_down(peer, clock_.read()); }
    void on_timer() override { pool.on_timer(clock_.read()); }
    Time next_timer() const override { return pool.next_timer(); }

    void on_path_up(PathNumber) override { up_at.push_back(clock_.now()); }
    void on_path_down(PathNumber, DestroyReason reason) override { down.push_back({clock_.now(), reason}); }
    void on_clove(PathNumber, StreamId, Bytes clove) override { cloves.push_back(std::move(clove)); }
    void on_stream_closed(PathNumber path, StreamId stream, CloseReason reason) override {
        closed.push_back(reason);
        closed_streams.emplace_back(path, stream);
    }

    NodeId id;

private:
    EventQueue& clock_;

public:
    PathPool pool;
    std::vector<Time> up_at;
    std::vector<std::pair<Time, DestroyReason>> down;
    std::vector<Bytes> cloves;
    std::vector<CloseReason> closed;
    std::vector<std::pair<PathNumber, StreamId>> closed_streams;
};

// A model node that sends every clove back under a handle agreed beforehand.
class EchoHost final : public simulator::Host {
public:
    EchoHost(Network& network, Random& random) : id(random.id<NodeId>()), sender_(network.sender(id)) {
        network.attach(id, *this);
    }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        if (type == wire::FrameType::reply_closed) {
            ++replies_closed;
            closed_handles.push_back(to_bytes(payload));
        }
        if (type != wire::FrameType::clove_forward) return;
        seen.push_back(to_bytes(payload));
        ASSERT_TRUE(sender_.send(from, wire::FrameType::clove_reply, {handle.bytes(), payload}));
    }
    void on_link_down(const NodeId&) override {}
    void on_timer() override {}
    Time next_timer() const override { return Time::max(); }

    NodeId id;
    ReplyHandle handle;
    std::vector<Bytes> seen;
    int replies_closed = 0;
    std::vector<Bytes> closed_handles;

private:
    wire::FrameSender& sender_;
};

class Paths : public testing::Test {
protected:
    void make(std::size_t relays, PoolOptions options = {}) {
        for (std::size_t i = 0; i < relays; ++i)
            relays_.push_back(std::make_unique<RelayHost>(clock_, network_, random_));
        user_ = std::make_unique<UserHost>(clock_, network_, random_, options);
        update_directory();
    }
    void update_directory() {
        std::vector<RelayInfo> list;
        for (auto& relay : relays_) list.push_back({relay->id, relay->key.public_key()});
        user_->pool.update_relays(std::move(list), clock_.read());
        network_.rearm(user_->id);
    }
    RelayHost& host(const NodeId& id) {
        for (auto& relay : relays_)
            if (relay->id == id) return *relay;
        throw std::logic_error("no such relay");
    }
    std::vector<PathStatus> up() {
        auto all = user_->pool.status();
        std::erase_if(all, [](const PathStatus& path) { return path.state != PathState::up; });
        return all;
    }

    SeededRandom random_{1};
    EventQueue clock_;
    Network network_{clock_, [](const NodeId&, const NodeId&) { return hop_delay; }};
    std::vector<std::unique_ptr<RelayHost>> relays_;
    std::unique_ptr<UserHost> user_;
};

}  // namespace planetserve::onion::testing_support
