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

}  // namespace
}  // namespace planetserve
