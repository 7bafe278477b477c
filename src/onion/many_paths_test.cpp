// Many paths, each within its bound: what they hold and send together must not cost others theirs.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

constexpr double slow_line = 20e6 / 8;  // bytes a second

// Counts what comes to it, by the first bytes of the payload.
class CountingHost final : public simulator::Host {
public:
    CountingHost(Network& network, Random& random)
        : id(random.id<NodeId>()), key(crypto::AgreementKey::generate(random)), sender(network.sender(id)) {
        network.attach(id, *this);
    }
    void on_frame(const NodeId&, wire::FrameType type, MutableByteView payload) override {
        ++came[{type, to_bytes(payload.first(PathId::size))}];
    }
    void on_link_down(const NodeId&) override {}
    void on_timer() override {}
    Time next_timer() const override { return Time::max(); }
    std::size_t count(wire::FrameType type) const {
        std::size_t all = 0;
        for (const auto& [what, frames] : came) all += what.first == type ? frames : 0;
        return all;
    }

    NodeId id;
    crypto::AgreementKey key;
    wire::FrameSender& sender;
    std::map<std::pair<wire::FrameType, Bytes>, std::size_t> came;
};

class ManyPaths : public Paths {
protected:
    void make_relay(RelayLimits limits = {}, ProxyLimits proxy_limits = {}) {
        relay_ = std::make_unique<RelayHost>(clock_, network_, random_, limits, proxy_limits);
        relay_->lines.limit(slow_line);
    }
    // A path of two hops that the neighbour builds by the relay.
    PathId path_from(const CountingHost& neighbour, const CountingHost& next) {
        std::vector<SetupHop> hops{{relay_->id, relay_->key.public_key()}, {next.id, next.key.public_key()}};
        auto id = random_.id<PathId>();
        EXPECT_TRUE(neighbour.sender.send(
            relay_->id, wire::FrameType::path_setup,
            {id.bytes(), build_setup(hops, expiry_minutes(clock_.unix_now()) + 5, random_).value().packet}));
        return id;
    }
    void send_cells(const CountingHost& neighbour, const PathId& path, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            ASSERT_TRUE(
                neighbour.sender.send(relay_->id, wire::FrameType::path_cell, {path.bytes(), Bytes(wire::cell_size)}));
    }
    // Fills the relay's line to the next hop up to the mark.
    void fill_line(const CountingHost& neighbour, const CountingHost& next) {
        send_cells(neighbour, path_from(neighbour, next), 200);
        clock_.run_for(hop_delay);
    }

    std::unique_ptr<RelayHost> relay_;
};

// Before: the longest path of all ended, and so one honest burst of 12 cells for each 8 that an attacker's next path
// had.
TEST_F(ManyPaths, OfFewCellsEachDoNotEvictAnHonestBurst) {
    RelayLimits limits;
    limits.maximum_queued_cells = 1000;
    make_relay(limits);
    CountingHost attacker(network_, random_), honest(network_, random_), next(network_, random_);
    fill_line(attacker, next);
    std::vector<PathId> hostile;
    for (int i = 0; i < 130; ++i) hostile.push_back(path_from(attacker, next));
    const PathId path = path_from(honest, next);
    for (std::size_t i = 0; i < hostile.size(); ++i) {
        send_cells(attacker, hostile[i], 8);
        if (i == hostile.size() / 2) send_cells(honest, path, 12);
    }
    clock_.run_for(hop_delay + 1ms);
    EXPECT_GT(relay_->relay.counters().paths_evicted, 0u);
    EXPECT_LE(relay_->relay.queued_cells(), 1000u);
    clock_.run_for(1s);
    EXPECT_EQ(honest.count(wire::FrameType::path_destroy), 0u);
    EXPECT_GT(attacker.count(wire::FrameType::path_destroy), 0u);
}

// Before: a link's turns went by path only, so 200 paths of one neighbour had 200 turns for each of an honest one's.
TEST_F(ManyPaths, OfOneNeighbourHaveItsTurnsAndNoMore) {
    make_relay();
    CountingHost attacker(network_, random_), honest(network_, random_), next(network_, random_);
    const PathId path = path_from(honest, next);
    clock_.run_for(3 * hop_delay);
    ASSERT_EQ(next.came.size(), 1u);
    const std::pair cells_of_path(wire::FrameType::path_cell, next.came.begin()->first.second);
    fill_line(attacker, next);
    std::vector<PathId> hostile;
    for (int i = 0; i < 200; ++i) hostile.push_back(path_from(attacker, next));
    for (const PathId& each : hostile) send_cells(attacker, each, 20);
    send_cells(honest, path, 100);
    clock_.run_for(hop_delay + 1ms);
    const std::size_t before = next.count(wire::FrameType::path_cell);
    for (int i = 0; i < 300 && next.came[cells_of_path] < 100; ++i) clock_.run_for(10ms);
    EXPECT_EQ(next.came[cells_of_path], 100u);
    EXPECT_LE(next.count(wire::FrameType::path_cell) - before, 183 + 2 * 100 + 100u)
        << "the line's queue, and one of the attacker's for each";
}

class ManyPathsToOneModelNode : public ManyPaths {
protected:
    std::unique_ptr<RawBuilder> builder() {
        auto made = std::make_unique<RawBuilder>(clock_, network_, random_);
        made->build({{relay_->id, relay_->key.public_key()}});
        return made;
    }
    // Paths that end at the relay, each with a stream to the model node and a window of large cloves for it.
    std::vector<std::unique_ptr<RawBuilder>> flood(std::size_t paths, const NodeId& model) {
        std::vector<std::unique_ptr<RawBuilder>> made;
        for (std::size_t i = 0; i < paths; ++i) made.push_back(builder());
        clock_.run_for(1s);
        for (auto& each : made) {
            each->open(1, model);
            for (std::size_t clove = 0; clove < cloves_of_window; ++clove) each->clove(1, large_clove);
        }
        return made;
    }
    static constexpr std::size_t large_clove = 12 * 1400 - 4;
    static constexpr std::size_t cloves_of_window = FlowWindow::initial / 12;
};

// Before: each path put its window on the link, 60 of them more than its 16 MiB. The stream whose clove came next was
// closed, after 6 s in which nothing else went to that model node.
TEST_F(ManyPathsToOneModelNode, LeaveRoomOnItsLinkForOthers) {
    make_relay();
    CountingHost model(network_, random_);
    auto honest = builder();
    auto hostile = flood(60, model.id);
    honest->open(1, model.id);
    honest->clove(1, 10'000);
    const std::pair small(wire::FrameType::clove_forward, Bytes(PathId::size));
    std::size_t sizes = 0;
    network_.tap([&](Time, const simulator::Frame& frame) {
        if (frame.type == wire::FrameType::clove_forward && frame.payload.size() == 10'000) ++sizes;
    });
    clock_.run_for(1s);
    EXPECT_EQ(sizes, 1u) << "within a second";
    EXPECT_EQ(honest->count(Command::close), 0u);
    EXPECT_LE(relay_->lines.most_queued(model.id), (256u << 10) + wire::maximum_clove_size);
    clock_.run_for(20s);
    EXPECT_EQ(model.came[small], 60 * cloves_of_window + 1) << "those who keep to their windows lose nothing either";
    EXPECT_EQ(relay_->proxy.waiting_cells(), 0u);
    for (auto& each : hostile) EXPECT_GE(each->count(Command::credit), 3u);
}

TEST_F(ManyPathsToOneModelNode, LoseWhatTheyHoldTogetherBeforeOthersDo) {
    ProxyLimits limits;
    limits.maximum_waiting_cells = 2000;
    make_relay({}, limits);
    CountingHost model(network_, random_);
    auto honest = builder();
    auto hostile = flood(20, model.id);
    honest->open(1, model.id);
    for (int i = 0; i < 2; ++i) honest->clove(1, 10'000);
    clock_.run_for(hop_delay + 1ms);
    EXPECT_LE(relay_->proxy.waiting_cells(), 2000u);
    EXPECT_GT(relay_->proxy.counters().paths_evicted, 0u);
    clock_.run_for(5s);
    EXPECT_FALSE(honest->down);
    EXPECT_EQ(honest->count(Command::close), 0u);
}

TEST_F(ManyPathsToOneModelNode, AreToldWhenItIsGone) {
    make_relay();
    CountingHost model(network_, random_);
    auto hostile = flood(3, model.id);
    clock_.run_for(hop_delay + 1ms);
    EXPECT_GT(relay_->proxy.waiting_cells(), 0u);
    hostile.front()->send({Command::close, 1}, {});
    relay_->on_link_down(model.id);
    EXPECT_EQ(relay_->proxy.waiting_cells(), 0u);
    clock_.run_for(1s);
    for (auto& each : hostile) EXPECT_FALSE(each->down);
    EXPECT_EQ(hostile.back()->count(Command::close), 1u);
    EXPECT_GE(hostile.back()->count(Command::credit), 3u) << "and the cells' credit is theirs again";
}

}  // namespace
}  // namespace planetserve::onion
