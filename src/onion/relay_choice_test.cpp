#include "onion/relay_choice.h"

#include <gtest/gtest.h>

namespace planetserve::onion {
namespace {

class RelayChoiceTest : public testing::Test {
protected:
    RelayChoiceTest() {
        std::vector<RelayInfo> relays;
        for (int i = 0; i < 20; ++i)
            relays.push_back({random_.id<NodeId>(), crypto::AgreementKey::generate(random_).public_key()});
        choice_.update(RelayList(std::move(relays)), UnixTime{1'000'000});
    }

    SeededRandom random_{1};
    RelayChoice choice_{NodeId{}, 3, {}, random_};
    const Time start_{100s};
};

TEST_F(RelayChoiceTest, DrawsEntryRelaysOnceAndSaysSo) {
    EXPECT_EQ(choice_.entries().size(), EntryRelayOptions{}.count);
    EXPECT_TRUE(choice_.take_entries_changed());
    EXPECT_FALSE(choice_.take_entries_changed());
    EXPECT_EQ(choice_.others(), 20u);
}

TEST_F(RelayChoiceTest, AvoidsTheRelaysOfAFailedPathForAWhileButNotItsEntry) {
    auto failed = choice_.select({}, start_).value();
    choice_.on_path_failed(failed.hops, start_);
    std::set<NodeId> avoided;
    for (std::size_t hop = 1; hop < failed.hops.size(); ++hop) avoided.insert(failed.hops[hop].id);
    bool entry_again = false;
    for (int i = 0; i < 100; ++i) {
        auto selection = choice_.select({}, start_ + 29s).value();
        entry_again = entry_again || selection.hops.front().id == failed.hops.front().id;
        for (const SetupHop& hop : selection.hops) EXPECT_FALSE(avoided.contains(hop.id));
    }
    EXPECT_TRUE(entry_again);
    bool again = false;
    for (int i = 0; i < 200 && !again; ++i)
        for (const SetupHop& hop : choice_.select({}, start_ + 31s).value().hops)
            again = again || avoided.contains(hop.id);
    EXPECT_TRUE(again);
}

TEST_F(RelayChoiceTest, SkipsAnEntryThatFailedUntilItWorks) {
    NodeId entry = choice_.select({}, start_).value().hops.front().id;
    choice_.on_entry_failed(entry, start_);
    EXPECT_NE(choice_.select({}, start_).value().hops.front().id, entry);
    choice_.on_entry_worked(entry);
    EXPECT_EQ(choice_.select({}, start_).value().hops.front().id, entry);
}

class Families : public testing::Test {
protected:
    // How often relays 0 and 1 are on one path, of 300 paths of three among six.
    int together(std::vector<NodeId> of_0, std::vector<NodeId> of_1) {
        std::vector<RelayInfo> relays;
        for (const NodeId& id : ids_) relays.push_back({id, crypto::AgreementKey::generate(random_).public_key()});
        relays[0].family = std::move(of_0);
        relays[1].family = std::move(of_1);
        RelayList list(std::move(relays));
        int count = 0;
        for (int i = 0; i < 300; ++i) {
            auto hops = select_path(list, {}, {ids_[static_cast<std::size_t>(i) % 6]}, {}, {}, 3, random_).value().hops;
            auto has = [&](const NodeId& id) { return std::ranges::find(hops, id, &SetupHop::id) != hops.end(); };
            count += has(ids_[0]) && has(ids_[1]) ? 1 : 0;
        }
        return count;
    }

    SeededRandom random_{3};
    std::vector<NodeId> ids_ = [this] {
        std::vector<NodeId> ids;
        for (int i = 0; i < 6; ++i) ids.push_back(random_.id<NodeId>());
        return ids;
    }();
};

TEST_F(Families, ThatBothStateNeverShareAPath) { EXPECT_EQ(together({ids_[1], ids_[5]}, {ids_[0]}), 0); }

// Before: a hostile relay stated an honest operator, and no path through it had another relay of that operator's; so
// the rest of the path came from the attacker's own more often.
TEST_F(Families, ThatOneStatesAloneKeepNobodyOut) {
    const int expected = together({}, {});
    EXPECT_GT(expected, 30);
    std::vector<NodeId> everybody = ids_;
    EXPECT_GT(together(everybody, {}), expected / 2);
    EXPECT_GT(together({}, everybody), expected / 2);
    EXPECT_GT(together(everybody, {ids_[2]}), expected / 2);
}

}  // namespace
}  // namespace planetserve::onion
