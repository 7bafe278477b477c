#include "eval/kit/statistics.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace planetserve::eval {
namespace {

TEST(Distribution, OfKnownValues) {
    Distribution of = distribution({4, 1, 3, 2, 5});
    EXPECT_EQ(of.count, 5U);
    EXPECT_DOUBLE_EQ(of.mean, 3);
    EXPECT_DOUBLE_EQ(of.p50, 3);
    EXPECT_DOUBLE_EQ(of.p99, 4.96);
    EXPECT_DOUBLE_EQ(of.max, 5);
    EXPECT_TRUE(std::isnan(distribution({}).mean));
    EXPECT_DOUBLE_EQ(distribution({7}).p99, 7);
}

TEST(Ratio, OfPairsThatAgreeIsExact) {
    Estimate ratio = ratio_of_means({{2, 1}, {4, 2}, {6, 3}}, 1, 500);
    EXPECT_DOUBLE_EQ(ratio.value, 2);
    EXPECT_DOUBLE_EQ(ratio.low, 2);
    EXPECT_DOUBLE_EQ(ratio.high, 2);
    EXPECT_TRUE(std::isnan(ratio_of_means({}, 1).value));
}

// Of 200 experiments whose true ratio is known, the interval holds it in about 95%.
TEST(Ratio, IntervalHoldsTheTruthAsOftenAsItSays) {
    SeededRandom random(3);
    int held = 0;
    for (int experiment = 0; experiment < 200; ++experiment) {
        std::vector<std::pair<double, double>> pairs;
        for (int i = 0; i < 60; ++i) pairs.emplace_back(1.2 * (0.5 + random.unit()), 0.5 + random.unit());
        Estimate ratio = ratio_of_means(pairs, random.next(), 400);
        EXPECT_LE(ratio.low, ratio.value);
        EXPECT_GE(ratio.high, ratio.value);
        held += ratio.low <= 1.2 && 1.2 <= ratio.high;
    }
    EXPECT_GE(held, 178);
}

}  // namespace
}  // namespace planetserve::eval
