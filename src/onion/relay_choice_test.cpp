#include "onion/relay_choice.h"

#include <gtest/gtest.h>

namespace planetserve::onion {
namespace {

class RelayChoiceTest : public testing::Test {
protected:
    RelayChoiceTest() {
        std::vector<RelayInfo> relays;
        for (int i = 0; i < 20; ++i)
            relays.push_back({random_.id<NodeId>(), crypto::AgreementKey::generate(random_).public_key(), ""});
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

}  // namespace
}  // namespace planetserve::onion
