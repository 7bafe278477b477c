// For the tests of paths: relays, proxies, a user and an echoing model node on a virtual network, in virtual time.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
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

class RelayHost final : public simulator::Host {
public:
    RelayHost(EventQueue& clock, Network& network, Random& random, RelayLimits limits = {})
        : id(random.id<NodeId>()),
          key(crypto::AgreementKey::generate(random)),
          clock_(clock),
          relay(id, key, limits, network.sender(id), random),
          proxy(relay, {}, network.sender(id)) {
        network.attach(id, *this);
    }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        switch (type) {
            case wire::FrameType::path_setup:
                relay.on_setup(from, payload, clock_.read());
                break;
            case wire::FrameType::path_cell:
                relay.on_cell(from, payload);
                break;
            case wire::FrameType::path_destroy:
                relay.on_destroy(from, payload);
                break;
            case wire::FrameType::clove_reply:
                proxy.on_clove_reply(from, payload);
                break;
            default:
                FAIL() << "unexpected frame";
        }
    }
    void on_link_down(const NodeId& peer) override {
        relay.on_link_down(peer);
        proxy.on_link_down(peer);
    }
    void on_timer() override { relay.on_timer(clock_.now()); }
    Time next_timer() const override { return relay.next_timer(); }

    NodeId id;
    crypto::AgreementKey key;

private:
    EventQueue& clock_;

public:
    Relay relay;
    Proxy proxy;
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
        for (auto& relay : relays_) list.push_back({relay->id, relay->key.public_key(), ""});
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
