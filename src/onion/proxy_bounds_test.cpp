// What a path may take of its proxy, and who loses where too much was taken.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

// Takes what comes and says nothing of its own.
class SilentHost final : public simulator::Host {
public:
    SilentHost(Network& network, Random& random) : id(random.id<NodeId>()), sender(network.sender(id)) {
        network.attach(id, *this);
    }
    void on_frame(const NodeId&, wire::FrameType type, MutableByteView) override {
        if (type == wire::FrameType::reply_closed) ++closed;
    }
    void on_link_down(const NodeId&) override {}
    void on_timer() override {}
    Time next_timer() const override { return Time::max(); }
    void reply(const NodeId& proxy, const ReplyHandle& handle, std::size_t size) {
        ASSERT_TRUE(sender.send(proxy, wire::FrameType::clove_reply, {handle.bytes(), Bytes(size)}));
    }

    NodeId id;
    wire::FrameSender& sender;
    int closed = 0;
};

class ProxyBounds : public Paths {
protected:
    void start(ProxyLimits limits = {}) {
        host_ = std::make_unique<RelayHost>(clock_, network_, random_, RelayLimits{}, limits);
        model_ = std::make_unique<SilentHost>(network_, random_);
    }
    std::unique_ptr<RawBuilder> path() {
        auto builder = std::make_unique<RawBuilder>(clock_, network_, random_);
        builder->build({{host_->id, host_->key.public_key()}});
        clock_.run_for(2 * hop_delay);
        EXPECT_EQ(builder->count(Command::confirm), 1u);
        return builder;
    }

    std::unique_ptr<RelayHost> host_;
    std::unique_ptr<SilentHost> model_;
};

// Before: whoever filled the queue, the stream whose clove came next was closed.
TEST_F(ProxyBounds, RepliesThatNobodyReadsCloseTheirOwnStreamAndNotTheNext) {
    ProxyLimits limits;
    limits.maximum_queued_cells_in_all = 500;
    start(limits);
    std::vector<std::unique_ptr<RawBuilder>> greedy;
    std::vector<ReplyHandle> handles;
    for (int i = 0; i < 4; ++i) {
        greedy.push_back(path());
        handles.push_back(greedy.back()->open(1, model_->id));
    }
    auto honest = path();
    auto honest_handle = honest->open(1, model_->id);
    clock_.run_for(1s);
    // Each greedy path takes its window of 256 and then makes its replies wait.
    for (int round = 0; round < 100; ++round)
        for (const ReplyHandle& handle : handles) model_->reply(host_->id, handle, 5 * 1400 - 4);
    clock_.run_for(1s);
    EXPECT_LE(host_->proxy.queued_cells(), 500u);
    for (int i = 0; i < 10; ++i) {
        model_->reply(host_->id, honest_handle, 100);
        for (const ReplyHandle& handle : handles) model_->reply(host_->id, handle, 5 * 1400 - 4);
        clock_.run_for(100ms);
    }
    EXPECT_EQ(honest->count(Command::data), 10u);
    EXPECT_EQ(honest->count(Command::close), 0u);
    std::size_t closed = 0;
    for (auto& each : greedy) closed += each->count(Command::close);
    EXPECT_GT(closed, 0u);
}

TEST_F(ProxyBounds, OnOnePathTheStreamThatHoldsMostIsClosed) {
    start();
    auto user = path();
    auto flooded = user->open(1, model_->id);
    auto other = user->open(2, model_->id);
    clock_.run_for(1s);
    for (int i = 0; i < 26; ++i)
        model_->reply(host_->id, other, 10 * 1400 - 4);  // the window, and four cells that wait
    for (int i = 0; i < 150; ++i) model_->reply(host_->id, flooded, 10 * 1400 - 4);
    clock_.run_for(1s);
    model_->reply(host_->id, other, 100);
    clock_.run_for(1s);
    ASSERT_EQ(user->count(Command::close), 1u);
    auto close = std::ranges::find(user->cells, Command::close, &RawBuilder::Cell::command);
    EXPECT_EQ(close->stream, 1u);
    EXPECT_EQ(close->payload, Bytes{static_cast<std::uint8_t>(CloseReason::overloaded)});
    EXPECT_EQ(host_->proxy.queued_cells(), 5u) << "the other stream's";
}

// Before: no limit at all, and each probe took a cell of the way back.
TEST_F(ProxyBounds, AFloodOfProbesOrOpensEndsItsPathOnly) {
    start();
    auto honest = path();
    auto handle = honest->open(1, model_->id);
    for (Command command : {Command::probe, Command::open, Command::retarget, Command::close}) {
        auto flood = path();
        for (StreamId i = 1; i <= 1000; ++i) {
            if (command == Command::open)
                flood->open(i, model_->id);
            else
                flood->send({command, i}, {command == Command::retarget ? model_->id.bytes() : ByteView{}});
        }
        clock_.run_for(1s);
        EXPECT_EQ(flood->down, DestroyReason::full) << static_cast<int>(command);
    }
    EXPECT_EQ(host_->proxy.counters().paths_refused, 4u);
    EXPECT_EQ(host_->proxy.streams(), 1u);
    for (int i = 0; i < 120; ++i) {  // as often as honest users probe, and more
        honest->send({Command::probe}, {Bytes(8)});
        clock_.run_for(500ms);
    }
    model_->reply(host_->id, handle, 100);
    clock_.run_for(1s);
    EXPECT_EQ(honest->count(Command::probe_echo), 120u);
    EXPECT_FALSE(honest->down);
}

// Before: a proxy dialled, and sent what it was given to, any node whose address it knew: users, verification nodes.
TEST_F(ProxyBounds, OnlyListedModelNodesAreSentAnything) {
    start();
    SilentHost bystander(network_, random_);
    host_->proxy.set_destinations([&](const NodeId& id) { return id == model_->id; });
    std::size_t reached = 0;
    network_.tap([&](Time, const simulator::Frame& frame) { reached += frame.to == bystander.id ? 1 : 0; });
    auto user = path();
    user->open(1, bystander.id);
    user->clove(1, 100);
    user->open(2, model_->id);
    user->send({Command::retarget, 2}, {bystander.id.bytes()});
    user->clove(2, 100);
    auto handle = user->open(3, model_->id);
    clock_.run_for(1s);
    EXPECT_EQ(reached, 0u);
    ASSERT_EQ(user->count(Command::close), 2u);
    for (const auto& cell : user->cells) {
        if (cell.command == Command::close) {
            EXPECT_EQ(cell.payload, Bytes{static_cast<std::uint8_t>(CloseReason::unreachable)});
        }
    }
    model_->reply(host_->id, handle, 100);
    clock_.run_for(1s);
    EXPECT_EQ(user->count(Command::data), 1u);
    EXPECT_FALSE(user->down);
}

TEST_F(ProxyBounds, CreditForNothingEndsThePath) {
    start();
    auto user = path();
    user->send({Command::credit}, {Bytes(4)});
    clock_.run_for(1s);
    EXPECT_EQ(user->down, DestroyReason::protocol);
}

// Before: streams of a table that was full were refused, however many one path had.
TEST_F(ProxyBounds, WhenAllStreamsAreTakenThePathWithMostOfThemLosesItsIdlest) {
    ProxyLimits limits;
    limits.maximum_streams = 8;
    start(limits);
    auto greedy = path();
    for (StreamId i = 1; i <= 8; ++i) greedy->open(i, model_->id);
    auto honest = path();
    for (StreamId i = 1; i <= 4; ++i) honest->open(i, model_->id);
    clock_.run_for(1s);
    EXPECT_EQ(host_->proxy.streams(), 8u);
    EXPECT_EQ(honest->count(Command::close), 0u);
    EXPECT_EQ(greedy->count(Command::close), 4u);
    honest->open(5, model_->id);
    clock_.run_for(1s);
    EXPECT_EQ(honest->count(Command::close), 1u) << "it has its half";
    EXPECT_EQ(greedy->count(Command::close), 4u);
}

TEST_F(ProxyBounds, AnIdleStreamIsClosedAndOneThatHearsHeartbeatsIsNot) {
    start();
    auto user = path();
    auto waiting = user->open(1, model_->id);
    user->open(2, model_->id);
    for (int i = 0; i < 60; ++i) {  // a model node that works for five minutes before its first token
        model_->reply(host_->id, waiting, 100);
        user->send({Command::probe}, {Bytes(8)});
        clock_.run_for(5s);
    }
    EXPECT_EQ(host_->proxy.streams(), 1u);
    EXPECT_EQ(user->count(Command::data), 60u);
    ASSERT_EQ(user->count(Command::close), 1u);
    EXPECT_EQ(std::ranges::find(user->cells, Command::close, &RawBuilder::Cell::command)->stream, 2u);
    EXPECT_EQ(model_->closed, 1) << "the model node is told";
}

// Before: a path that was built and left held its place for up to an hour.
TEST_F(ProxyBounds, APathWhoseBuilderIsSilentIsEndedAndOneThatProbesIsNot) {
    start();
    auto silent = path();
    auto alive = path();
    for (int i = 0; i < 40; ++i) {
        clock_.run_for(15s);
        alive->send({Command::probe}, {Bytes(8)});
    }
    EXPECT_EQ(silent->down, DestroyReason::expired);
    EXPECT_FALSE(alive->down);
    EXPECT_EQ(host_->relay.paths(), 1u);
    EXPECT_EQ(host_->relay.counters().paths_idle, 1u);
}

TEST_F(Paths, ThoseOfAUserThatAsksNothingAreNotIdle) {
    make(20);
    clock_.run_for(5min);
    EXPECT_EQ(up().size(), 4u);
    EXPECT_TRUE(user_->down.empty());
}

}  // namespace
}  // namespace planetserve::onion
