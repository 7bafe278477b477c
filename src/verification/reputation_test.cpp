#include "verification/reputation.h"

#include <gtest/gtest.h>

#include <bit>

#include <cmath>
#include <deque>

#include "base/random.h"

namespace planetserve::verification {
namespace {

// The formulas in floating point, as plainly as they are written.
struct NaiveTwin {
    double reputation;
    std::deque<bool> window;

    void score(double credit, const Parameters& p) {
        const double scale = one;
        window.push_back(credit < p.tau / scale);
        if (window.size() > p.window) window.pop_front();
        double c = 0;
        for (bool abnormal : window) c += abnormal;
        double w = p.window, gamma = p.gamma / scale, weight = p.beta / scale;
        // As a cross product, so that 1/5 of 5 is 1.
        if (c * one >= double(p.gamma) * w) weight = std::min(weight, (w + 1) / (w + c / gamma + 2));
        reputation = std::min(1.0, p.alpha / scale * reputation + weight * credit);
    }
};

Millionths after(std::vector<Millionths> credits, const Parameters& parameters = {}) {
    Standing standing = initial_standing(parameters);
    std::uint64_t epoch = 0;
    for (Millionths credit : credits) standing = after_score(standing, credit, ++epoch, parameters);
    return standing.reputation;
}

// By hand, with the paper's parameters.
TEST(Reputation, ByHand) {
    EXPECT_EQ(after({}), 500'000u);
    EXPECT_EQ(after({1'000'000}), 800'000u);             // 0.2 + 0.6
    EXPECT_EQ(after({1'000'000, 1'000'000}), 920'000u);  // 0.32 + 0.6
    EXPECT_EQ(after({0}), 200'000u);
    EXPECT_EQ(after({0, 0}), 80'000u);
    EXPECT_EQ(after({400'000}), 440'000u) << "tau itself is not abnormal: 0.2 + 0.24";
    // One abnormal of five: the weight is 6 / (5 + 5 + 2) = 1/2.
    EXPECT_EQ(after({300'000}), 350'000u);  // 0.2 + 0.15
    // Two of five: 6 / 17.
    EXPECT_EQ(after({300'000, 300'000}), 140'000u + 105'882u);
    // An abnormal score weighs on the honest ones after it: 0.4 x 0.35 + 0.5.
    EXPECT_EQ(after({300'000, 1'000'000}), 640'000u);
}

// The two holes of the paper's artifact: one cheat in five epochs went unpunished, and the count could exceed the
// window.
TEST(Reputation, OneCheatInFiveCosts) {
    Parameters parameters;
    std::vector<Millionths> cheating;
    for (int i = 0; i < 100; ++i) cheating.push_back(i % 5 == 4 ? 0 : 900'000);
    std::vector<Millionths> honest(100, 900'000);
    Millionths all = after(honest), once = after({cheating.begin(), cheating.end() - 1});
    EXPECT_EQ(all, 900'000u);
    EXPECT_LT(once, 760'000u) << "four honest scores after each cheat do not undo it";
    Standing standing = initial_standing(parameters);
    for (std::uint64_t epoch = 0; epoch < 40; ++epoch) {
        standing = after_score(standing, 0, epoch, parameters);
        EXPECT_LE(std::popcount(standing.abnormal), 5);
    }
}

TEST(Reputation, ANodeEarnsItsWayBack) {
    Parameters parameters;
    Standing standing = initial_standing(parameters);
    for (std::uint64_t epoch = 0; epoch < 50; ++epoch) standing = after_score(standing, 0, epoch, parameters);
    EXPECT_LT(standing.reputation, 10u);
    std::uint64_t epochs = 0;
    while (standing.reputation < parameters.trust && epochs < 100)
        standing = after_score(standing, 900'000, 50 + epochs++, parameters);
    EXPECT_GE(epochs, 2u) << "one good epoch is not enough";
    EXPECT_LE(epochs, 5u);
    for (int i = 0; i < 10; ++i) standing = after_score(standing, 900'000, 100, parameters);
    EXPECT_NEAR(standing.reputation, 900'000, 100) << "after the window nothing is held against it";
}

TEST(Reputation, AgreesWithFloatingPoint) {
    SeededRandom random(17);
    for (int round = 0; round < 500; ++round) {
        Parameters p;
        p.alpha = static_cast<Millionths>(random.below(950'001));
        p.beta = static_cast<Millionths>(random.below(one - p.alpha + 1));
        p.gamma = static_cast<Millionths>(1 + random.below(one));
        p.window = static_cast<std::uint32_t>(1 + random.below(32));
        p.tau = static_cast<Millionths>(random.below(one + 1));
        p.initial = static_cast<Millionths>(random.below(one + 1));
        if (round % 4 == 0) p = Parameters{};
        ASSERT_TRUE(check(p));
        Standing standing = initial_standing(p);
        NaiveTwin twin{p.initial / double(one), {}};
        const double bound = 1.0 / (one - p.alpha) * 1.001;  // a millionth a step, shrinking by alpha
        for (std::uint64_t epoch = 0; epoch < 200; ++epoch) {
            auto credit = static_cast<Millionths>(random.below(3) == 0 ? random.below(one + 1) : random.below(2) * one);
            standing = after_score(standing, credit, epoch, p);
            twin.score(credit / double(one), p);
            ASSERT_LE(standing.reputation, one);
            ASSERT_NEAR(standing.reputation / double(one), twin.reputation, bound) << "round " << round;
        }
        EXPECT_EQ(standing.scores, 200u);
    }
}

TEST(Reputation, IsKeptAsItIs) {
    SeededRandom random(3);
    NodeId node = random.id<NodeId>();
    Standing standing{123'456, 21, 900, 77};
    auto parsed = parse_standing(encode_standing(node, standing));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->first, node);
    EXPECT_EQ(parsed->second, standing);
    EXPECT_FALSE(parse_standing(encode_standing(node, {one + 1, 0, 0, 0})));
    EXPECT_FALSE(parse_standing(Bytes{1, 2, 3}));
}

TEST(Parameters, AreCheckedAndKept) {
    EXPECT_EQ(parse_parameters(encode(Parameters{})).value(), Parameters{});
    auto refused = [](auto change) {
        Parameters parameters;
        change(parameters);
        return !check(parameters) && !parse_parameters(encode(parameters));
    };
    EXPECT_TRUE(refused([](auto& p) { p.alpha = 500'000; }));
    EXPECT_TRUE(refused([](auto& p) { p.gamma = 0; }));
    EXPECT_TRUE(refused([](auto& p) { p.window = 33; }));
    EXPECT_TRUE(refused([](auto& p) { p.window = 0; }));
    EXPECT_TRUE(refused([](auto& p) { p.trust = one + 1; }));
    EXPECT_TRUE(refused([](auto& p) { p.epoch_ms = 500'000; })) << "shorter than its phases";
    EXPECT_TRUE(refused([](auto& p) { p.draw_ms = 0; }));
    EXPECT_TRUE(refused([](auto& p) { p.leaders = 0; }));
    EXPECT_TRUE(refused([](auto& p) { p.leader_ms = INT64_MAX; }));
    EXPECT_TRUE(refused([](auto& p) { p.nodes_per_epoch = 129; }));
    EXPECT_TRUE(refused([](auto& p) { p.far_permitted = 16; }));
}

}  // namespace
}  // namespace planetserve::verification
