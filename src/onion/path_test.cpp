// Paths over a virtual network: the relays', the proxy's and the user's own code, in virtual time.

#include <gtest/gtest.h>

#include "onion/path_pool.h"
#include "onion/proxy.h"
#include "simulator/network.h"

namespace planetserve::onion {
namespace {

using simulator::EventQueue;
using simulator::Network;

constexpr Duration hop_delay = 10ms;

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

TEST_F(Paths, AreRotatedBeforeTheyExpireWithoutEverBeingFewer) {
    PoolOptions options;
    make(60, options);
    clock_.run_for(1s);
    for (int minute = 0; minute < 60; ++minute) {
        clock_.run_for(60s);
        EXPECT_GE(user_->pool.usable().size(), 4u) << "minute " << minute;
    }
    EXPECT_GE(user_->up_at.size(), 20u);
    for (const auto& [time, reason] : user_->down) EXPECT_EQ(reason, DestroyReason::finished);
    std::size_t held = 0;
    for (auto& relay : relays_) held += relay->relay.paths();
    EXPECT_LE(held, 5u * 3u);
}

TEST_F(Paths, WithoutRepairWhatBreaksStaysBroken) {
    PoolOptions options;
    options.repair = false;
    make(60, options);
    clock_.run_for(1s);
    ASSERT_EQ(up().size(), 4u);
    network_.kill(up().front().relays[1]);
    clock_.run_for(1min);
    EXPECT_EQ(up().size(), 3u);
    clock_.run_for(10min);
    EXPECT_TRUE(up().empty());
    EXPECT_EQ(user_->up_at.size(), 4u);
}

TEST_F(Paths, AnEmptyListLeavesTheTimerQuietWhenARotationIsDue) {
    make(60);
    clock_.run_for(1s);
    user_->pool.update_relays({}, clock_.read());
    network_.rearm(user_->id);
    auto before = clock_.events_run();
    EXPECT_FALSE(clock_.run_until_true([&] { return clock_.events_run() > before + 100'000; }, 15min));
    EXPECT_TRUE(up().empty()) << "they expired";
    update_directory();
    clock_.run_for(1s);
    EXPECT_EQ(up().size(), 4u);
}

TEST_F(Paths, EntryRelaysStayTheSameOverManyPaths) {
    PoolOptions options;
    options.lifetime = std::chrono::minutes(1);
    options.rotate_before = std::chrono::seconds(10);
    make(150, options);
    std::set<NodeId> entries;
    for (int i = 0; i < 100; ++i) {
        clock_.run_for(30s);
        for (const auto& path : up()) entries.insert(path.relays.front());
    }
    EXPECT_GE(user_->up_at.size(), 150u);
    EXPECT_LE(entries.size(), options.entries.count);
}

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
        bool expected = kept.size() < limits.maximum_remembered &&
                        static_cast<std::size_t>(of_peer) < limits.maximum_remembered_per_peer && tokens[peer] >= 1;
        ASSERT_EQ(admission.admit(peer, {now, unix_now}).has_value(), expected) << "step " << step;
        ++(expected ? admitted_count : refused_count);
        if (!expected) continue;
        tokens[peer] -= 1;
        RelayAdmission::ReplayTag tag{static_cast<std::uint8_t>(random.below(40))};
        auto expiry = expiry_minutes(unix_now) + static_cast<ExpiryMinutes>(random.below(3));
        bool fresh = std::none_of(kept.begin(), kept.end(),
                                  [&](const Kept& one) { return one.expiry == expiry && one.tag == tag; });
        ASSERT_EQ(admission.remember(peer, expiry, tag), fresh);
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

TEST_F(Paths, ASmallNetworkStillGetsPathsAndSaysThatTheyShareRelays) {
    make(4);
    clock_.run_for(1s);
    ASSERT_EQ(up().size(), 4u);
    auto paths = up();
    EXPECT_TRUE(paths.back().shares_relays);
}

class GrowingList : public Paths {
protected:
    void grow(std::size_t by) {
        for (std::size_t i = 0; i < by; ++i) relays_.push_back(std::make_unique<RelayHost>(clock_, network_, random_));
        update_directory();
    }
    std::size_t up_sharing() {
        return static_cast<std::size_t>(std::ranges::count_if(up(), &PathStatus::shares_relays));
    }
    bool distinct() {
        std::set<NodeId> relays;
        for (const auto& path : up()) relays.insert(path.relays.begin(), path.relays.end());
        return up().size() == 4 && relays.size() == 12;
    }
};

class FirstList : public GrowingList, public testing::WithParamInterface<std::size_t> {};

TEST_P(FirstList, PathsThatShareRelaysAreReplacedOnceThereAreEnough) {
    make(GetParam());
    clock_.run_for(10s);
    ASSERT_EQ(up().size(), 4u);
    EXPECT_GT(up_sharing(), 1u);
    EXPECT_EQ(user_->up_at.size(), 4u) << "nothing to gain by building anew";
    grow(30);
    EXPECT_TRUE(clock_.run_until_true([&] { return distinct(); }, 3s));
    EXPECT_EQ(up_sharing(), 0u);
    clock_.run_for(60s);
    EXPECT_LE(user_->up_at.size(), 12u);
}

INSTANTIATE_TEST_SUITE_P(Sizes, FirstList, testing::Values(3, 4, 5, 8, 11));

TEST_F(GrowingList, ThatGrowsStepByStepCausesNoStormOfPaths) {
    make(4);
    for (int step = 0; step < 40; ++step) {
        grow(1);
        clock_.run_for(200ms);
    }
    clock_.run_for(10s);
    EXPECT_TRUE(distinct());
    EXPECT_LE(user_->up_at.size(), 12u);
}

TEST_F(GrowingList, OfTwelveIsEnoughAndPathsAreRotatedInItWithoutSharing) {
    make(6);
    clock_.run_for(1s);
    grow(6);
    EXPECT_TRUE(clock_.run_until_true([&] { return distinct(); }, 5s));
    std::size_t built = user_->up_at.size();
    for (int minute = 0; minute < 30; ++minute) {
        clock_.run_for(60s);
        EXPECT_TRUE(distinct()) << minute;
    }
    EXPECT_LE(user_->up_at.size(), built + 24) << "four paths are rotated every six to eight minutes";
}

TEST_F(GrowingList, WhereOneOperatorHasMostOfItIsNotTriedForEver) {
    for (int i = 0; i < 20; ++i) relays_.push_back(std::make_unique<RelayHost>(clock_, network_, random_));
    user_ = std::make_unique<UserHost>(clock_, network_, random_, PoolOptions{});
    std::vector<RelayInfo> list;
    for (auto& relay : relays_) list.push_back({relay->id, relay->key.public_key(), list.size() < 5 ? "" : "one"});
    user_->pool.update_relays(std::move(list), clock_.read());
    network_.rearm(user_->id);
    auto before = clock_.events_run();
    EXPECT_FALSE(clock_.run_until_true([&] { return clock_.events_run() > before + 20'000; }, 5min));
    EXPECT_EQ(up().size(), 4u);
    EXPECT_LE(user_->up_at.size(), 12u);
}

TEST_F(Paths, TooFewRelaysIsSaidInNumbers) {
    make(2);
    clock_.run_for(1s);
    EXPECT_TRUE(up().empty());
    EXPECT_NE(user_->pool.last_problem().find("lists 2 relays"), std::string::npos);
}

}  // namespace
}  // namespace planetserve::onion
