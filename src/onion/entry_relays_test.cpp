#include "onion/entry_relays.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace planetserve::onion {
namespace {

std::vector<NodeId> make_relays(std::size_t count, Random& random) {
    std::vector<NodeId> relays;
    for (std::size_t i = 0; i < count; ++i) relays.push_back(random.id<NodeId>());
    return relays;
}

RelayList list_of(const std::vector<NodeId>& ids) {
    std::vector<RelayInfo> relays;
    for (const NodeId& id : ids) relays.push_back({id, {}});
    return relays;
}

const NodeId self{{0xFF}};

TEST(EntryRelays, NeverHaveTheNodeItself) {
    SeededRandom random(1);
    EntryRelays entries({.count = 5});
    auto relays = make_relays(4, random);
    relays.push_back(self);
    entries.update(list_of(relays), self, UnixTime{0}, random);
    EXPECT_EQ(entries.usable(Time{}).size(), 4u);
    EXPECT_FALSE(entries.contains(self));
}

TEST(RelayList, IsSortedOnceAndSharedByItsCopies) {
    SeededRandom random(1);
    auto ids = make_relays(200, random);
    ids.push_back(ids.front());
    RelayList list = list_of(ids);
    EXPECT_EQ(list.size(), 200u);
    EXPECT_TRUE(std::ranges::is_sorted(list, std::less{}, &RelayInfo::id));
    RelayList copy = list;
    for (const NodeId& id : ids) {
        ASSERT_NE(list.find(id), nullptr);
        EXPECT_EQ(list.find(id), copy.find(id));
    }
    EXPECT_FALSE(list.contains(self));
    EXPECT_TRUE(RelayList().empty());
    EXPECT_FALSE(RelayList().contains(self));
}

TEST(EntryRelays, StayTheSameWhileTheyLive) {
    SeededRandom random(1);
    auto relays = make_relays(100, random);
    EntryRelays entries({.count = 5});
    EXPECT_TRUE(entries.update(list_of(relays), self, UnixTime{0}, random));
    auto first = entries.usable(Time{});
    EXPECT_EQ(first.size(), 5u);
    auto more = make_relays(1000, random);
    more.insert(more.end(), relays.begin(), relays.end());
    EXPECT_FALSE(entries.update(list_of(more), self, UnixTime{1000}, random));
    EXPECT_EQ(entries.usable(Time{}), first);
}

TEST(EntryRelays, AFailingOneIsSkippedNotReplaced) {
    SeededRandom random(2);
    auto relays = make_relays(50, random);
    EntryRelays entries({.count = 3, .retry_after = 30s});
    entries.update(list_of(relays), self, UnixTime{0}, random);
    auto all = entries.usable(Time{});
    entries.on_failure(all[0], Time{});
    EXPECT_EQ(entries.usable(Time{1s}).size(), 2u);
    EXPECT_FALSE(entries.update(list_of(relays), self, UnixTime{1000}, random));
    EXPECT_EQ(entries.usable(Time{30s}), all);
}

TEST(EntryRelays, AnAbsentOneIsKeptForADayAndTopsUpMeanwhile) {
    SeededRandom random(3);
    auto relays = make_relays(10, random);
    EntryRelays entries({.count = 2});
    entries.update(list_of(relays), self, UnixTime{0}, random);
    NodeId lost = entries.usable(Time{})[0];
    auto without = relays;
    std::erase(without, lost);
    EXPECT_TRUE(entries.update(list_of(without), self, UnixTime{1000}, random));
    EXPECT_TRUE(entries.contains(lost));
    EXPECT_EQ(entries.usable(Time{}).size(), 2u);
    EXPECT_TRUE(entries.update(list_of(relays), self, UnixTime{2000}, random));
    EXPECT_EQ(entries.usable(Time{})[0], lost);
    entries.update(list_of(without), self, UnixTime{3000}, random);
    entries.update(list_of(without), self, UnixTime{3000 + 24 * 3600 * 1000}, random);
    EXPECT_FALSE(entries.contains(lost));
}

TEST(EntryRelays, SurviveARestart) {
    SeededRandom random(4);
    auto relays = make_relays(20, random);
    EntryRelays entries({.count = 4});
    entries.update(list_of(relays), self, UnixTime{77}, random);
    EntryRelays again({.count = 4});
    ASSERT_TRUE(again.load(entries.save()));
    EXPECT_EQ(again.usable(Time{}), entries.usable(Time{}));
    EXPECT_FALSE(again.update(list_of(relays), self, UnixTime{78}, random));
    EXPECT_FALSE(again.load("nonsense\n"));
    EXPECT_EQ(again.usable(Time{}), entries.usable(Time{}));
}

}  // namespace
}  // namespace planetserve::onion
