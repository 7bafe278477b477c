// The paths of a user over time: rotation, entry relays, lists that grow.

#include <gtest/gtest.h>

#include "onion/paths_fixture.h"

namespace planetserve::onion {
namespace {

using namespace testing_support;

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
    std::vector<NodeId> one;
    for (std::size_t i = 5; i < relays_.size(); ++i) one.push_back(relays_[i]->id);
    for (auto& relay : relays_)
        list.push_back({relay->id, relay->key.public_key(), list.size() < 5 ? std::vector<NodeId>{} : one});
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
