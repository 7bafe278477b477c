#include "base/random.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(SeededRandom, IsAFunctionOfItsSeed) {
    SeededRandom a(7), b(7), c(8);
    EXPECT_EQ(a.next(), b.next());
    EXPECT_NE(a.next(), c.next());
}

TEST(SeededRandom, BelowIsUniform) {
    SeededRandom random(1);
    std::array<int, 6> counts{};
    for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
    for (int count : counts) EXPECT_NEAR(count, 10000, 500);
}

TEST(SeededRandom, ShuffleKeepsTheItems) {
    SeededRandom random(3);
    std::vector<int> items{1, 2, 3, 4, 5, 6, 7, 8};
    auto sorted = items;
    random.shuffle(items);
    EXPECT_NE(items, sorted);
    std::sort(items.begin(), items.end());
    EXPECT_EQ(items, sorted);
}

TEST(RandomOrder, HasEachOnceAndAnyFirst) {
    SeededRandom random(5);
    std::vector<int> first(10);
    for (int run = 0; run < 2000; ++run) {
        RandomOrder order(10, random);
        std::vector<bool> seen(10);
        for (int i = 0; i < 10; ++i) {
            auto value = order.next();
            ASSERT_TRUE(value && *value < 10 && !seen[*value]);
            seen[*value] = true;
            if (i == 3) ++first[*value];
        }
        EXPECT_FALSE(order.next());
    }
    for (int count : first) EXPECT_NEAR(count, 200, 70);
    EXPECT_FALSE(RandomOrder(0, random).next());
}

}  // namespace
}  // namespace planetserve
