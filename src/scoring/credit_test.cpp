#include "scoring/credit.h"

#include <gtest/gtest.h>

#include <limits>

#include "scoring/made_answers_fixture.h"

namespace planetserve::scoring {
namespace {

constexpr SamplingProfile credit_profile{.temperature = 0.8F, .top_k = 20, .max_tokens = 128};
constexpr double engine_noise = 0.1;

std::vector<Statistics> honest_runs(std::size_t count, std::uint64_t seed, double noise = engine_noise) {
    MadeAnswers answers(seed);
    std::vector<Statistics> runs;
    for (std::size_t i = 0; i < count; ++i) {
        Pool pool;
        pool.add(answers.draw(credit_profile, 128, noise).score(credit_profile));
        runs.push_back(pool.statistics());
    }
    return runs;
}

std::vector<Statistics> ladder() {
    std::vector<Statistics> runs(200);
    for (std::size_t i = 0; i < runs.size(); ++i) {
        auto height = static_cast<double>(i + 1);
        runs[i].margin = height;
        runs[i].entropy_z = i % 2 == 0 ? height : -height;
        runs[i].kolmogorov_smirnov = height;
    }
    return runs;
}

Statistics judged(double margin, double entropy_z, double rank) {
    return {.tokens = 128,
            .mismatches = 1,
            .margin = margin,
            .entropy_z = entropy_z,
            .kolmogorov_smirnov = rank,
            .drawn = 128};
}

TEST(Credit, PValuesCountHonestRuns) {
    auto calibration = Calibration::make(ladder()).value();
    EXPECT_DOUBLE_EQ(calibration.p_value(Measure::margin, 0, 128), 1);
    EXPECT_DOUBLE_EQ(calibration.p_value(Measure::margin, 200, 128),
                     2.0 / 201);  // ties count against the node's accuser
    EXPECT_DOUBLE_EQ(calibration.p_value(Measure::margin, 200.5, 128), 1.0 / 201);
    EXPECT_DOUBLE_EQ(calibration.p_value(Measure::entropy, 101, 128), 101.0 / 201);
    EXPECT_DOUBLE_EQ(calibration.p_value(Measure::rank, std::numeric_limits<double>::quiet_NaN(), 128), 1.0 / 201);
}

TEST(Credit, WorkedExample) {
    auto calibration = Calibration::make(ladder()).value();
    Credit credit = credit_of(judged(150, -10, 199), calibration);
    EXPECT_EQ(credit.grounds, Grounds::tests);
    EXPECT_DOUBLE_EQ(*credit.p_values[0], 52.0 / 201);
    EXPECT_DOUBLE_EQ(*credit.p_values[1], 192.0 / 201);
    EXPECT_DOUBLE_EQ(*credit.p_values[2], 3.0 / 201);
    EXPECT_DOUBLE_EQ(credit.value, 3 * (3.0 / 201) / 0.05);
    EXPECT_DOUBLE_EQ(credit_of(judged(300, 0, 0), calibration).value, 3 * (1.0 / 201) / 0.05);
    EXPECT_EQ(credit_of(judged(1, 1, 1), calibration).value, 1);
}

// Quantiles of |N(0, 1)| and of Kolmogorov's distribution, from tables.
TEST(Credit, KnownDistributionsNeedNoRuns) {
    auto calibration = Calibration::known({.mean = 0.006, .deviation = 0.032});
    EXPECT_NEAR(calibration.p_value(Measure::entropy, 1.0, 128), 0.317311, 1e-6);
    EXPECT_NEAR(calibration.p_value(Measure::entropy, 3.890592, 128), 1e-4, 1e-9);
    EXPECT_EQ(calibration.p_value(Measure::rank, 0, 128), 1);
    EXPECT_NEAR(calibration.p_value(Measure::rank, 0.19999, 128), calibration.p_value(Measure::rank, 0.20001, 128),
                1e-6);
    EXPECT_NEAR(calibration.p_value(Measure::rank, 1.3581, 128), 0.05, 1e-5);
    EXPECT_NEAR(calibration.p_value(Measure::rank, 1.9495, 128), 0.001, 1e-6);
    EXPECT_NEAR(calibration.p_value(Measure::margin, 0.006, 64), 0.5, 1e-12);
    EXPECT_NEAR(calibration.p_value(Measure::margin, 0.010, 64), 0.158655, 1e-6) << "one deviation of 64 tokens";
    EXPECT_NEAR(calibration.p_value(Measure::margin, 0.010, 256), 0.022750, 1e-6) << "two of 256";
    EXPECT_NEAR(calibration.p_value(Measure::margin, 0, 64), 1 - 0.066807, 1e-6);
    EXPECT_EQ(calibration.p_value(Measure::margin, std::numeric_limits<double>::quiet_NaN(), 128), 0);
}

TEST(Credit, KnownDistributionsLetHonestNoiseThroughAndNoOtherModel) {
    auto calibration = Calibration::known();
    EXPECT_EQ(credit_of(judged(0.005, -0.4, 0.8), calibration).value, 1);
    EXPECT_EQ(credit_of(judged(0.0088, 3.3, 1.7), calibration).value, 1) << "the most of some two hundred honest runs";
    EXPECT_LT(credit_of(judged(0.06, 0.4, 0.8), calibration).value, 1e-6);
    EXPECT_LT(credit_of(judged(0.005, 5, 0.8), calibration).value, 0.01);
    EXPECT_LT(credit_of(judged(0.005, 0.4, 2.5), calibration).value, 0.1);
}

TEST(Credit, TooFewTokensSayNothing) {
    auto calibration = Calibration::make(ladder()).value();
    Statistics few = judged(300, 0, 0);
    few.tokens = 127;
    EXPECT_EQ(credit_of(few, calibration).grounds, Grounds::inconclusive);
}

TEST(Credit, ReplayOfEveryTokenIsEnough) {
    auto calibration = Calibration::make(ladder()).value();
    Statistics exact = judged(0, 300, 300);
    exact.mismatches = 0;
    EXPECT_EQ(credit_of(exact, calibration).grounds, Grounds::replay);
    EXPECT_EQ(credit_of(exact, calibration).value, 1);
    exact.unsound = 1;
    EXPECT_EQ(credit_of(exact, calibration).grounds, Grounds::structure);
    EXPECT_EQ(credit_of(exact, calibration).value, 0);
}

// Where honest engines of the class replay exactly, one mismatch is evidence.
TEST(Credit, OneMismatchCountsAmongEnginesThatReplay) {
    auto calibration = Calibration::make(honest_runs(200, 1, 0)).value();
    Credit credit = credit_of(judged(1e-5, 0, 0.5), calibration);
    EXPECT_NEAR(credit.value, 3.0 / 201 / 0.05, 1e-12);
    EXPECT_LT(credit.value, 0.4);
}

TEST(Credit, FewerTestsWeighLess) {
    auto calibration = Calibration::make(ladder()).value();
    Statistics greedy = judged(200, 300, 300);
    greedy.drawn = 0;
    Credit credit = credit_of(greedy, calibration);
    EXPECT_TRUE(credit.p_values[0]);
    EXPECT_FALSE(credit.p_values[1]);
    EXPECT_FALSE(credit.p_values[2]);
    EXPECT_NEAR(credit.value, (2.0 / 201) / 0.05, 1e-12);
    Credit seedless = credit_of(judged(300, 200, 0), calibration, {.seed_bound = false});
    EXPECT_FALSE(seedless.p_values[0]);
    EXPECT_NEAR(seedless.value, 2 * (2.0 / 201) / 0.05, 1e-12);
}

TEST(Credit, IsVotedOnInMillionths) {
    EXPECT_EQ(millionths(0.2985074626), 298'507U);
    EXPECT_EQ(millionths(1), 1'000'000U);
    EXPECT_EQ(millionths(7), 1'000'000U);
    EXPECT_EQ(millionths(-1), 0U);
    EXPECT_EQ(millionths(std::numeric_limits<double>::quiet_NaN()), 0U);
}

TEST(Credit, CalibrationNeedsRunsEnough) {
    EXPECT_FALSE(Calibration::make(honest_runs(199, 1)));
    auto runs = ladder();
    runs[7].margin = std::numeric_limits<double>::infinity();
    EXPECT_FALSE(Calibration::make(runs));
}

// The promise: an honest node on engines with noise has a credit below 0.4 with probability at most 0.02.
TEST(Credit, HonestNodesSeldomScoreLow) {
    int low = 0;
    int judged_runs = 0;
    for (std::uint64_t round = 0; round < 5; ++round) {
        auto calibration = Calibration::make(honest_runs(200, 100 + round)).value();
        for (const Statistics& run : honest_runs(200, 200 + round)) {
            ++judged_runs;
            if (credit_of(run, calibration).value < 0.4) ++low;
        }
    }
    EXPECT_LE(low, 40) << "of " << judged_runs;  // 20 expected at most; each calibration moves its 200 together
}

TEST(Credit, MoreNoiseThanCalibratedScoresLow) {
    auto calibration = Calibration::make(honest_runs(200, 1)).value();
    for (const Statistics& run : honest_runs(20, 2, 10 * engine_noise))
        EXPECT_LT(credit_of(run, calibration).value, 0.4) << run.margin;
}

}  // namespace
}  // namespace planetserve::scoring
