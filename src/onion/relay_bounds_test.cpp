// What a relay refuses: replays, strangers, and more than one neighbour's share.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

TEST_F(Paths, ARelayRefusesReplaysStrangersAndOverload) {
    RelayLimits limits;
    limits.maximum_paths_per_peer = 2;
    RelayHost relay(clock_, network_, random_, limits);
    NodeId peer = random_.id<NodeId>();
    std::vector<SetupHop> hops{{relay.id, relay.key.public_key()}};
    auto minutes = expiry_minutes(clock_.unix_now()) + 5;
    auto offer = [&](const SetupPacket& packet) {
        Bytes payload = to_bytes(random_.id<PathId>().bytes());
        append(payload, packet);
        relay.relay.on_setup(peer, payload, clock_.read());
        return relay.relay.paths();
    };
    auto first = build_setup(hops, minutes, random_).value().packet;
    EXPECT_EQ(offer(first), 1u);
    EXPECT_EQ(offer(first), 1u) << "a replay";
    EXPECT_EQ(offer(build_setup(hops, minutes - 10, random_).value().packet), 1u) << "expired";
    EXPECT_EQ(offer(build_setup(hops, minutes + 600, random_).value().packet), 1u) << "lives too long";
    EXPECT_EQ(offer(build_setup(hops, minutes, random_).value().packet), 2u);
    EXPECT_EQ(offer(build_setup(hops, minutes, random_).value().packet), 2u) << "more than one neighbour's share";
    EXPECT_EQ(relay.relay.counters().setups_refused, 4u);
    clock_.run_for(10min);
    relay.relay.on_timer(clock_.now());
    EXPECT_EQ(relay.relay.paths(), 0u) << "expiry";
}

// Before: a relay that was started again took every set-up anew that had not expired.
TEST_F(Paths, ARelayThatWasStartedAgainRefusesWhatItTookBefore) {
    std::vector<RelayAdmission::Remembered> kept;
    auto offer = [&](RelayHost& relay, const SetupPacket& packet) {
        Bytes payload = to_bytes(random_.id<PathId>().bytes());
        append(payload, packet);
        relay.relay.on_setup(random_.id<NodeId>(), payload, clock_.read());
        return relay.relay.paths() == 1;
    };
    RelayHost before(clock_, network_, random_);
    before.relay.admission().set_journal([&](const auto& setup, const Now&) { kept.push_back(setup); });
    std::vector<SetupHop> hops{{before.id, before.key.public_key()}};
    auto packet = build_setup(hops, expiry_minutes(clock_.unix_now()) + 5, random_).value().packet;
    EXPECT_TRUE(offer(before, packet));
    ASSERT_EQ(kept.size(), 1u);

    Relay after(before.id, before.key, {}, network_.sender(before.id), random_);
    Proxy proxy(after, {}, network_.sender(before.id));
    for (const auto& setup : kept) after.admission().restore(setup);
    Bytes payload = to_bytes(random_.id<PathId>().bytes());
    append(payload, packet);
    after.on_setup(random_.id<NodeId>(), payload, clock_.read());
    EXPECT_EQ(after.paths(), 0u);
    EXPECT_EQ(after.counters().setups_refused, 1u);
    clock_.run_for(10min);
    payload = to_bytes(random_.id<PathId>().bytes());
    append(payload, build_setup(hops, expiry_minutes(clock_.unix_now()) + 5, random_).value().packet);
    after.on_setup(random_.id<NodeId>(), payload, clock_.read());
    EXPECT_EQ(after.paths(), 1u) << "honest users build on";
    EXPECT_EQ(after.admission().remembered(), 1u) << "what expired is forgotten";
}

class RelayBounds : public Paths {
protected:
    // Offers the relay a fresh one-hop path whose expiry is so many minutes ahead; whether it was taken.
    bool offer(RelayHost& relay, const NodeId& from, std::uint32_t minutes = 5) {
        std::vector<SetupHop> hops{{relay.id, relay.key.public_key()}};
        auto packet = build_setup(hops, expiry_minutes(clock_.unix_now()) + minutes, random_).value().packet;
        Bytes payload = to_bytes(random_.id<PathId>().bytes());
        append(payload, packet);
        auto before = relay.relay.counters().setups_accepted;
        relay.relay.on_setup(from, payload, clock_.read());
        last_id_ = to_bytes(ByteView(payload).first(PathId::size));
        return relay.relay.counters().setups_accepted > before;
    }
    void finish_last(RelayHost& relay, const NodeId& from) {
        append(last_id_, std::array<std::uint8_t, 1>{});
        relay.relay.on_destroy(from, last_id_);
    }

    Bytes last_id_;
};

TEST_F(RelayBounds, ATableOfSetUpsThatIsFullEmptiesWithTime) {
    RelayLimits limits;
    limits.admission.maximum_remembered = 3;
    RelayHost relay(clock_, network_, random_, limits);
    for (int i = 0; i < 3; ++i) {
        NodeId peer = random_.id<NodeId>();
        EXPECT_TRUE(offer(relay, peer));
        finish_last(relay, peer);
    }
    EXPECT_EQ(relay.relay.paths(), 0u);
    EXPECT_FALSE(offer(relay, random_.id<NodeId>())) << "remembered though their paths are over";
    clock_.run_for(7min);
    EXPECT_TRUE(offer(relay, random_.id<NodeId>()));
}

TEST_F(RelayBounds, OneNeighbourCannotTakeTheTableOfSetUpsFromOthers) {
    RelayLimits limits;
    limits.admission.maximum_remembered = 8;
    limits.admission.maximum_remembered_per_peer = 4;
    RelayHost relay(clock_, network_, random_, limits);
    NodeId greedy = random_.id<NodeId>();
    int taken = 0;
    for (int i = 0; i < 20; ++i) {
        if (!offer(relay, greedy)) continue;
        ++taken;
        finish_last(relay, greedy);
    }
    EXPECT_EQ(taken, 4);
    EXPECT_TRUE(offer(relay, random_.id<NodeId>()));
    clock_.run_for(7min);
    EXPECT_TRUE(offer(relay, greedy)) << "its share is free again";
}

TEST_F(RelayBounds, SetUpsFromOneNeighbourAreLimitedByTime) {
    RelayLimits limits;
    limits.admission.burst = 5;
    limits.admission.setups_per_second = 2;
    RelayHost relay(clock_, network_, random_, limits);
    NodeId hasty = random_.id<NodeId>();
    auto taken_of = [&](int offers) {
        int taken = 0;
        for (int i = 0; i < offers; ++i) taken += offer(relay, hasty) ? 1 : 0;
        return taken;
    };
    EXPECT_EQ(taken_of(10), 5);
    EXPECT_TRUE(offer(relay, random_.id<NodeId>())) << "others are not held up";
    clock_.run_for(1s);
    EXPECT_EQ(taken_of(10), 2);
    clock_.run_for(10s);
    EXPECT_EQ(taken_of(10), 5);
}

TEST(RelayAdmission, AgreesWithOneThatKeepsEverything) {
    SeededRandom random(7);
    AdmissionLimits limits{20, 6, 0.5, 4};
    RelayAdmission admission(limits);
    struct Kept {
        NodeId peer;
        ExpiryMinutes expiry;
        RelayAdmission::ReplayTag tag;
    };
    std::vector<Kept> kept;
    std::map<NodeId, double> tokens;
    std::vector<NodeId> peers;
    for (int i = 0; i < 6; ++i) peers.push_back(random.id<NodeId>());
    Time now{};
    UnixTime unix_now{1'000'000'000};
    std::size_t admitted_count = 0, refused_count = 0;
    for (int step = 0; step < 5000; ++step) {
        Duration passed = std::chrono::milliseconds(random.below(2000));
        now += passed;
        unix_now = unix_now + std::chrono::duration_cast<std::chrono::milliseconds>(passed);
        const NodeId& peer = peers[random.below(peers.size())];
        std::erase_if(kept, [&](const Kept& one) { return one.expiry < expiry_minutes(unix_now); });
        for (const NodeId& each : peers) {
            auto known = tokens.try_emplace(each, limits.burst).first;
            known->second = std::min(limits.burst, known->second + limits.setups_per_second * to_seconds(passed));
        }
        auto of_peer = std::count_if(kept.begin(), kept.end(), [&](const Kept& one) { return one.peer == peer; });
        bool expected = static_cast<std::size_t>(of_peer) + kept.size() < limits.maximum_remembered &&
                        static_cast<std::size_t>(of_peer) < limits.maximum_remembered_per_peer && tokens[peer] >= 1;
        ASSERT_EQ(admission.admit(peer, {now, unix_now}).has_value(), expected) << "step " << step;
        ++(expected ? admitted_count : refused_count);
        if (!expected) continue;
        tokens[peer] -= 1;
        RelayAdmission::ReplayTag tag{static_cast<std::uint8_t>(random.below(40))};
        auto expiry = expiry_minutes(unix_now) + static_cast<ExpiryMinutes>(random.below(3));
        bool fresh = std::none_of(kept.begin(), kept.end(),
                                  [&](const Kept& one) { return one.expiry == expiry && one.tag == tag; });
        ASSERT_EQ(admission.remember(peer, {expiry, tag}, {now, unix_now}), fresh);
        if (fresh) kept.push_back({peer, expiry, tag});
        ASSERT_EQ(admission.remembered(), kept.size());
    }
    EXPECT_GT(admitted_count, 100u);
    EXPECT_GT(refused_count, 100u);
    now += 1h;
    unix_now = unix_now + 1h;
    ASSERT_TRUE(admission.admit(peers[0], {now, unix_now}));
    EXPECT_EQ(admission.remembered(), 0u);
    EXPECT_EQ(admission.neighbours(), 1u) << "the others are forgotten";
}

}  // namespace
}  // namespace planetserve::onion
