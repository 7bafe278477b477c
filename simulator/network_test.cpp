#include "simulator/network.h"

#include <gtest/gtest.h>

#include <sstream>

#include "simulator/fault_script.h"

namespace planetserve::simulator {
namespace {

constexpr Duration delay = 10ms;

// Sends a numbered frame to each of its peers every 100 ms, and notes what it gets.
class Chatter final : public Host {
public:
    Chatter(EventQueue& clock, Network& network, const NodeId& own_id)
        : id(own_id), clock_(clock), sender_(network.sender(own_id)), next_(clock.now()) {}

    void on_frame(const NodeId& from, wire::FrameType, MutableByteView payload) override {
        got.emplace_back(clock_.now(), from, to_bytes(payload));
    }
    void on_link_down(const NodeId& peer) override { lost.emplace_back(clock_.now(), peer); }
    void on_timer() override {
        next_ = clock_.now() + 100ms;
        for (const NodeId& peer : peers) {
            Bytes payload(wire::payload_limits(static_cast<std::uint8_t>(wire::FrameType::ping))->minimum);
            store_big_endian(MutableByteView(payload), ++sent);
            (void)sender_.send(peer, wire::FrameType::ping, {payload});
        }
    }
    Time next_timer() const override { return peers.empty() ? Time::max() : next_; }

    std::size_t from(const NodeId& peer) const {
        return static_cast<std::size_t>(
            std::ranges::count_if(got, [&](const auto& one) { return std::get<1>(one) == peer; }));
    }

    const NodeId id;
    std::vector<NodeId> peers;
    std::uint64_t sent = 0;
    std::vector<std::tuple<Time, NodeId, Bytes>> got;
    std::vector<std::pair<Time, NodeId>> lost;

private:
    EventQueue& clock_;
    wire::FrameSender& sender_;
    Time next_;
};

// Three nodes: 0 and 1 talk to each other, 2 talks to 0.
class Faults : public testing::Test {
protected:
    Faults() {
        network.record(&trace);
        for (int i = 0; i < 3; ++i) {
            ids.push_back(random.id<NodeId>());
            hosts.push_back(std::make_unique<Chatter>(clock, network, ids.back()));
        }
        hosts[0]->peers = {ids[1]};
        hosts[1]->peers = {ids[0]};
        hosts[2]->peers = {ids[0]};
        for (auto& host : hosts) network.attach(host->id, *host);
    }
    void schedule(std::string_view script) {
        auto faults = parse_faults(script);
        ASSERT_TRUE(faults) << faults.error().message;
        ASSERT_TRUE(schedule_faults(*faults, ids, clock, network, &trace));
    }
    Time at(Duration since) const { return EventQueue::beginning + since; }

    SeededRandom random{3};
    EventQueue clock;
    std::ostringstream lines;
    Trace trace{lines};
    Network network{clock, [](const NodeId&, const NodeId&) { return delay; }};
    std::vector<NodeId> ids;
    std::vector<std::unique_ptr<Chatter>> hosts;
};

TEST_F(Faults, ACrashIsToldToNeighboursOneDelayLater) {
    schedule("1050ms crash 1");
    clock.run_for(2s);
    ASSERT_FALSE(hosts[0]->lost.empty());
    EXPECT_EQ(hosts[0]->lost[0], std::pair(at(1060ms), ids[1]));
    EXPECT_EQ(hosts[0]->lost.back(), std::pair(at(1910ms), ids[1])) << "and each time it is dialled";
    EXPECT_EQ(hosts[0]->from(ids[1]), 11u);
    EXPECT_TRUE(hosts[2]->lost.empty());
    EXPECT_FALSE(network.alive(ids[1]));
}

TEST_F(Faults, AMachineThatFallsSilentIsNoticedByItsLinksOnly) {
    schedule("1050ms vanish 1");
    clock.run_for(27s);
    ASSERT_EQ(hosts[0]->lost.size(), 1u);
    EXPECT_EQ(hosts[0]->lost[0], std::pair(at(1050ms + Network::silence), ids[1]));
    clock.run_for(20s);
    ASSERT_GE(hosts[0]->lost.size(), 2u);
    EXPECT_GE(hosts[0]->lost[1].first - hosts[0]->lost[0].first, Network::dial_deadline);
}

TEST_F(Faults, AMachineThatComesBackResetsTheLinksOfBefore) {
    schedule("1050ms vanish 1");
    clock.run_for(3s);
    EXPECT_TRUE(hosts[0]->lost.empty());
    network.attach(ids[1], *hosts[1]);
    auto before = hosts[0]->got.size();
    clock.run_for(1s);
    EXPECT_EQ(hosts[0]->lost, (std::vector{std::pair(at(3010ms), ids[1])}));
    EXPECT_GT(hosts[0]->got.size(), before + 8);
}

TEST_F(Faults, AShortSeparationDelaysFramesAndALongOneLosesLinks) {
    schedule("1050ms separate 0 for 5s");
    clock.run_for(5950ms);
    EXPECT_EQ(hosts[0]->got.size(), 22u);
    clock.run_for(4050ms);
    EXPECT_TRUE(hosts[0]->lost.empty());
    EXPECT_EQ(hosts[0]->from(ids[1]), 100u) << "all came in the end";
    for (std::size_t i = 1; i < hosts[1]->got.size(); ++i)
        EXPECT_LT(std::get<2>(hosts[1]->got[i - 1]), std::get<2>(hosts[1]->got[i])) << "in order";
    schedule("0s separate 0 for 1min");
    clock.run_for(24s);
    EXPECT_TRUE(hosts[0]->lost.empty()) << "the first separation counts no more";
    clock.run_for(4s);
    EXPECT_EQ(hosts[0]->lost.size(), 2u);
    EXPECT_EQ(hosts[2]->lost.size(), 1u);
    auto before = hosts[1]->got.size();
    clock.run_for(40s);
    EXPECT_GT(hosts[1]->got.size(), before) << "dialled anew";
}

TEST_F(Faults, ASlowNodeIsSlowInWhatItSends) {
    schedule("1050ms slow 1 by 200ms for 2s");
    clock.run_for(5s);
    auto arrival = [&](const Chatter& host, std::uint64_t number) {
        for (const auto& [time, from, payload] : host.got)
            if (load_big_endian<std::uint64_t>(payload) == number && from != ids[2]) return time;
        return Time{};
    };
    EXPECT_EQ(arrival(*hosts[0], 11), at(1010ms));
    EXPECT_EQ(arrival(*hosts[0], 12), at(1310ms));
    EXPECT_EQ(arrival(*hosts[1], 12), at(1110ms));
    EXPECT_EQ(arrival(*hosts[0], 45), at(4410ms));
}

TEST_F(Faults, CorruptingAndDroppingAreOfEverySoManyFrames) {
    schedule("0s corrupt 1 every 5\n0s drop 2 every 4 for 2s  # and then no more");
    clock.run_for(4s);
    std::size_t changed = 0;
    std::uint64_t expected = 0;
    for (const auto& [time, from, payload] : hosts[0]->got)
        if (from == ids[1]) changed += load_big_endian<std::uint64_t>(payload) != ++expected ? 1 : 0;
    EXPECT_EQ(changed, 8u);
    EXPECT_EQ(hosts[0]->from(ids[2]), 35u);
}

TEST_F(Faults, ATraceSaysWhatHappenedInOrder) {
    schedule("1050ms crash 1");
    clock.run_for(2s);
    std::string text = lines.str();
    EXPECT_TRUE(text.starts_with("time_us,event,node,peer,frame,bytes,hash\n10000,delivered,"));
    EXPECT_NE(text.find("\n1050000,\"crash 1\",,,,,"), std::string::npos);
    EXPECT_NE(text.find("\n1060000,link_down," + ids[0].brief() + "," + ids[1].brief() + ",,,"), std::string::npos);
    EXPECT_EQ(static_cast<std::uint64_t>(std::ranges::count(text, '\n')), trace.events() + 1);
}

TEST(Trace, IsOneHashForOneRunAndAnotherForAnother) {
    auto run = [](std::uint8_t last_byte, Duration second) {
        Trace trace;
        NodeId a{}, b{};
        b.value[0] = 1;
        trace.delivered(Time{1s}, a, b, wire::FrameType::path_cell, Bytes(100));
        Bytes payload(101);
        payload.back() = last_byte;
        trace.delivered(Time{second}, a, b, wire::FrameType::path_cell, payload);
        return trace.hash();
    };
    EXPECT_EQ(run(0, 2s), run(0, 2s));
    EXPECT_NE(run(0, 2s), run(1, 2s));
    EXPECT_NE(run(0, 2s), run(0, 3s));
}

TEST(FaultScript, IsReadWholeOrNotAtAll) {
    auto faults = parse_faults("\n# nothing yet\n 1.5s crash 3,5-7\n2min slow 1 by 20ms for 10s\n");
    ASSERT_TRUE(faults) << faults.error().message;
    ASSERT_EQ(faults->size(), 2u);
    EXPECT_EQ((*faults)[0].at, 1500ms);
    EXPECT_EQ((*faults)[0].nodes, (std::vector<std::size_t>{3, 5, 6, 7}));
    EXPECT_EQ((*faults)[1].by, 20ms);
    EXPECT_EQ((*faults)[1].lasts, 10s);
    EXPECT_EQ((*faults)[1].text, "slow 1 by 20ms for 10s");
    for (const char* wrong :
         {"crash 1", "1s explode 1", "1s crash", "1s crash x", "1s crash 5-3", "1s crash 1 for 2s", "1s slow 1",
          "1s slow 1 by -2s", "1s drop 1", "1s drop 1 every 0", "1s drop 1 every", "1s corrupt 1 by 2s",
          "1s separate 1 for 0s", "1s crash 0-99999999", "1e300s crash 1", "nans crash 1"}) {
        auto refused = parse_faults(std::string("1s crash 1\n") + wrong);
        ASSERT_FALSE(refused) << wrong;
        EXPECT_TRUE(refused.error().message.starts_with("line 2: ")) << refused.error().message;
    }
    EventQueue clock;
    Network network{clock, [](const NodeId&, const NodeId&) { return delay; }};
    EXPECT_FALSE(schedule_faults(*parse_faults("1s crash 1"), {NodeId{}}, clock, network, nullptr));
}

}  // namespace
}  // namespace planetserve::simulator
