// Paths over a virtual network: set-up, cells, streams, and what breaks them.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

TEST_F(Paths, FourDisjointPathsAreUpAfterOneRoundTrip) {
    make(199);
    Time start = clock_.now();
    clock_.run_until(start + 6 * hop_delay);
    ASSERT_EQ(up().size(), 4u);
    for (Time time : user_->up_at) EXPECT_EQ(time, start + 6 * hop_delay);
    std::set<NodeId> relays;
    for (const auto& path : up()) {
        EXPECT_FALSE(path.shares_relays);
        relays.insert(path.relays.begin(), path.relays.end());
    }
    EXPECT_EQ(relays.size(), 12u);
}

TEST_F(Paths, ALostRelayIsNoticedAndThePathReplacedToTheMillisecond) {
    make(199);
    clock_.run_for(1s);
    for (std::size_t position = 0; position < 3; ++position) {
        user_->down.clear();
        user_->up_at.clear();
        NodeId victim = up().front().relays[position];
        Time killed = clock_.now();
        network_.kill(victim);
        // The neighbour on the user's side learns of it after one delay, and the tear-down takes one delay for each
        // relay between.
        Time noticed = killed + hop_delay * static_cast<int>(1 + position);
        clock_.run_until(noticed - 1us);
        EXPECT_TRUE(user_->down.empty());
        clock_.run_until(noticed);
        ASSERT_EQ(user_->down.size(), 1u) << "position " << position;
        EXPECT_EQ(user_->down[0].second, DestroyReason::link_lost);
        EXPECT_EQ(up().size(), 3u);
        clock_.run_until(noticed + 6 * hop_delay);
        ASSERT_EQ(user_->up_at.size(), 1u);
        EXPECT_EQ(user_->up_at[0], noticed + 6 * hop_delay);
        EXPECT_EQ(up().size(), 4u);
        std::erase_if(relays_, [&](auto& relay) { return relay->id == victim; });
        update_directory();
        clock_.run_for(1s);
    }
}

TEST_F(Paths, ASilentRelayIsFoundByTheProbe) {
    make(50);
    clock_.run_for(1s);
    NodeId silent = up().front().relays[1];
    network_.interfere([silent](const simulator::Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from == silent) return {};
        return {{Duration{}, frame.payload}};
    });
    PathTiming timing;
    clock_.run_for(timing.probe_idle + timing.probe_deadline + 1s);
    ASSERT_EQ(user_->down.size(), 1u);
    EXPECT_EQ(user_->down[0].second, DestroyReason::timed_out);
    EXPECT_EQ(up().size(), 4u);
}

enum class Attack { drop, repeat, change };
class HostileRelay : public Paths, public testing::WithParamInterface<Attack> {};

TEST_P(HostileRelay, BringsItsPathDownAndNoWrongCloveComesOut) {
    make(40);
    clock_.run_for(1s);
    auto path = up().front();
    NodeId hostile = path.relays[1];
    EchoHost echo(network_, random_);
    echo.handle = random_.id<ReplyHandle>();
    auto stream = user_->pool.open_stream(path.number, echo.id, echo.handle);
    int count = 0;
    network_.interfere([&, hostile](const simulator::Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from != hostile || frame.type != wire::FrameType::path_cell || ++count != 3)
            return {{Duration{}, frame.payload}};
        if (GetParam() == Attack::drop) return {};
        if (GetParam() == Attack::repeat) return {{Duration{}, frame.payload}, {Duration{}, frame.payload}};
        Bytes changed = frame.payload;
        changed[700] ^= 1;
        return {{Duration{}, changed}};
    });
    for (int i = 0; i < 10; ++i) user_->pool.send_clove(path.number, stream, Bytes(100, static_cast<std::uint8_t>(i)));
    clock_.run_for(1s);
    ASSERT_EQ(user_->down.size(), 1u);
    EXPECT_EQ(user_->down[0].second, DestroyReason::protocol);
    EXPECT_LT(user_->cloves.size(), 10u);
    for (std::size_t i = 0; i < user_->cloves.size(); ++i)
        EXPECT_EQ(user_->cloves[i], Bytes(100, static_cast<std::uint8_t>(i)));
    EXPECT_EQ(up().size(), 4u);
}

INSTANTIATE_TEST_SUITE_P(Attacks, HostileRelay, testing::Values(Attack::drop, Attack::repeat, Attack::change));

TEST_F(Paths, ClovesOfEverySizeGoThereAndBack) {
    make(30);
    clock_.run_for(1s);
    EchoHost echo(network_, random_);
    echo.handle = random_.id<ReplyHandle>();
    auto path = up().front().number;
    auto stream = user_->pool.open_stream(path, echo.id, echo.handle);
    std::vector<Bytes> sent;
    for (std::size_t size : {std::size_t{1}, std::size_t{1395}, std::size_t{1396}, std::size_t{1397}, std::size_t{2796},
                             std::size_t{2797}, wire::maximum_clove_size}) {
        Bytes clove(size);
        random_.fill(clove);
        sent.push_back(clove);
        ASSERT_TRUE(user_->pool.send_clove(path, stream, clove));
    }
    clock_.run_for(1s);
    EXPECT_EQ(echo.seen, sent);
    EXPECT_EQ(user_->cloves, sent);
    user_->pool.close_stream(path, stream);
    clock_.run_for(1s);
    EXPECT_EQ(echo.replies_closed, 1);
    EXPECT_TRUE(user_->down.empty());
}

TEST_F(Paths, FarMoreThanAWindowFlowsAndNoMoreThanAWindowIsUnderWay) {
    make(30);
    clock_.run_for(1s);
    EchoHost echo(network_, random_);
    echo.handle = random_.id<ReplyHandle>();
    auto path = up().front();
    auto stream = user_->pool.open_stream(path.number, echo.id, echo.handle);
    long under_way = 0, most = 0;
    network_.tap([&](Time, const simulator::Frame& frame) {
        if (frame.type != wire::FrameType::path_cell) return;
        if (frame.from == user_->id) most = std::max(most, ++under_way);
        if (frame.to == path.relays.back()) --under_way;
    });
    const std::size_t count = 500;
    for (std::size_t i = 0; i < count; ++i)
        user_->pool.send_clove(path.number, stream, Bytes(5000, static_cast<std::uint8_t>(i)));
    clock_.run_for(60s);
    EXPECT_EQ(user_->cloves.size(), count);
    EXPECT_LE(most, static_cast<long>(FlowWindow::initial) + 32);  // and credits, probes
    EXPECT_TRUE(user_->down.empty());
}

TEST_F(Paths, AModelNodeThatCannotBeReachedClosesTheStreamOnly) {
    make(30);
    clock_.run_for(1s);
    auto path = up().front().number;
    auto stream = user_->pool.open_stream(path, random_.id<NodeId>(), random_.id<ReplyHandle>());
    user_->pool.send_clove(path, stream, Bytes(10));
    clock_.run_for(1s);
    EXPECT_EQ(user_->closed, std::vector<CloseReason>{CloseReason::unreachable});
    EXPECT_EQ(up().size(), 4u);
}

// Hash tables have orders of their own, in each process another; what a proxy sends must not show them.
TEST_F(Paths, AProxyClosesStreamsInTheOrderTheyWereOpened) {
    PoolOptions options;
    options.length = 1;  // so that all paths end at one proxy
    make(1, options);
    clock_.run_for(1s);
    auto paths = up();
    ASSERT_EQ(paths.size(), 4u);
    EchoHost lost(network_, random_), told(network_, random_);
    std::vector<std::pair<PathNumber, StreamId>> opened;
    std::vector<Bytes> handles;
    for (int i = 0; i < 20; ++i)
        for (const auto& path : paths) {
            auto stream = user_->pool.open_stream(path.number, lost.id, random_.id<ReplyHandle>());
            opened.emplace_back(path.number, stream);
            user_->pool.send_clove(path.number, stream, Bytes(10));
            if (path.number != paths.front().number) continue;
            handles.push_back(to_bytes(random_.id<ReplyHandle>().bytes()));
            user_->pool.open_stream(path.number, told.id, ReplyHandle::from(handles.back()).value());
        }
    clock_.run_for(1s);
    network_.kill(lost.id);
    clock_.run_for(1s);
    std::ranges::sort(opened);
    EXPECT_EQ(user_->closed_streams, opened);
    user_->pool.distrust(paths.front().number, clock_.read());
    clock_.run_for(1s);
    EXPECT_EQ(told.closed_handles, handles);
}

}  // namespace
}  // namespace planetserve::onion
