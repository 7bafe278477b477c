#include "scoring/token_score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace planetserve::scoring {
namespace {

constexpr TokenId first{7};
constexpr TokenId second{9};
constexpr TokenId absent{11};

// Probabilities 3/4 and 1/4 at temperature 1.
Position three_to_one(TokenId emitted) {
    return {
        .emitted = emitted, .candidates = {{first, std::log(3.0F)}, {second, 0.0F}}, .log_probability = std::log(0.5)};
}
const SamplingProfile plain{.temperature = 1, .top_k = 40};

TEST(TokenScore, IntervalHoldsTheDraw) {
    TokenScore score = score_token(three_to_one(first), plain, 0.7, 0);
    EXPECT_TRUE(score.replayed);
    EXPECT_EQ(score.distance, 0);
    EXPECT_TRUE(score_token(three_to_one(second), plain, 0.8, 0).replayed);
}

TEST(TokenScore, DistanceIsToTheNearerEdge) {
    TokenScore beyond = score_token(three_to_one(first), plain, 0.85, 0);
    EXPECT_FALSE(beyond.replayed);
    EXPECT_NEAR(beyond.distance, 0.1, 1e-7);
    EXPECT_NEAR(score_token(three_to_one(second), plain, 0.5, 0).distance, 0.25, 1e-7);
    EXPECT_EQ(score_token(three_to_one(second), plain, 0.1, 0).distance, greatest_distance);
}

// What is nearly as likely may have changed places with it.
TEST(TokenScore, NeighboursMayChangePlaces) {
    Position position{.emitted = absent, .log_probability = std::log(0.3)};
    for (auto [id, p] : {std::pair(first, 0.4F), {second, 0.31F}, {absent, 0.29F}})
        position.candidates.push_back({id, std::log(p)});
    TokenScore score = score_token(position, plain, 0.5, 0);
    EXPECT_FALSE(score.replayed);
    EXPECT_EQ(score.distance, 0) << "0.4 to 1 is where it may be";
    EXPECT_NEAR(score_token(position, plain, 0.3, 0).distance, 0.1, 1e-6);
    EXPECT_NEAR(*score.rank, 0.71, 1e-6) << "the other figures take it where it is";
    position.emitted = second;
    EXPECT_EQ(score_token(position, plain, 0.9, 0).distance, 0);
    EXPECT_NEAR(score_token(position, plain, 0.9, 0, {.order_noise_floor = 0}).distance, 0.19, 1e-6);
}

TEST(TokenScore, SurpriseIsLessTheEntropy) {
    double entropy = -0.75 * std::log(0.75) - 0.25 * std::log(0.25);
    double variance = 0.75 * 0.25 * std::pow(std::log(3.0), 2);  // of a two-valued variable
    TokenScore score = score_token(three_to_one(second), plain, 0.8, 0);
    EXPECT_NEAR(score.surprise, -std::log(0.25) - entropy, 1e-6);
    EXPECT_NEAR(score.variance, variance, 1e-6);
}

TEST(TokenScore, RankIsUniformWithinTheTokensOwnInterval) {
    EXPECT_NEAR(*score_token(three_to_one(first), plain, 0.1, 0.5).rank, 0.375, 1e-6);
    EXPECT_NEAR(*score_token(three_to_one(second), plain, 0.1, 0.5).rank, 0.875, 1e-6);
}

TEST(TokenScore, TemperatureSharpensAndTopKCuts) {
    // At T = 1/2 the odds are 9 to 1.
    EXPECT_NEAR(score_token(three_to_one(second), {.temperature = 0.5F, .top_k = 40}, 0.8, 0).distance, 0.1, 1e-6);
    EXPECT_EQ(score_token(three_to_one(second), {.temperature = 1, .top_k = 1}, 0.99, 0).distance, greatest_distance);
}

// Probabilities 0.5, 0.3, 0.15, 0.05 at temperature 1.
Position four(TokenId emitted) {
    Position position{.emitted = emitted};
    for (auto [id, p] : {std::pair(0U, 0.5F), {1U, 0.3F}, {2U, 0.15F}, {3U, 0.05F}})
        position.candidates.push_back({TokenId(id), std::log(p)});
    return position;
}

TEST(TokenScore, TopPKeepsTheFewestThatHaveIt) {
    auto left = [](SamplingProfile profile) { return candidates_left(four({}).candidates, profile); };
    EXPECT_EQ(left({.top_p = 1}), 4U);
    EXPECT_EQ(left({.top_p = 0.96F}), 4U);
    EXPECT_EQ(left({.top_p = 0.9F}), 3U);
    EXPECT_EQ(left({.top_p = 0.79F}), 2U);
    EXPECT_EQ(left({.top_p = 0.4F}), 1U);
    EXPECT_EQ(left({.top_p = 0}), 1U);
    // Of the top_k's probability, before the temperature.
    EXPECT_EQ(left({.top_k = 2, .top_p = 0.62F}), 1U);
    EXPECT_EQ(left({.temperature = 0.1F, .top_p = 0.9F}), 3U);
}

TEST(TokenScore, MinPIsAShareOfTheHighest) {
    auto left = [](SamplingProfile profile) { return candidates_left(four({}).candidates, profile); };
    EXPECT_EQ(left({.min_p = 0.05F}), 4U);
    EXPECT_EQ(left({.min_p = 0.2F}), 3U);
    EXPECT_EQ(left({.min_p = 0.5F}), 2U);
    EXPECT_EQ(left({.min_p = 1}), 1U);
    EXPECT_EQ(left({.top_p = 0.7F, .min_p = 0.2F}), 2U);
}

TEST(TokenScore, DrawsAmongWhatIsLeft) {
    const SamplingProfile cut{.temperature = 1, .top_k = 40, .top_p = 0.75F};  // 5/8 and 3/8
    EXPECT_NEAR(score_token(four(TokenId(1)), cut, 0.5, 0).distance, 0.125, 1e-6);
    EXPECT_TRUE(score_token(four(TokenId(1)), cut, 0.7, 0).replayed);
    EXPECT_EQ(score_token(four(TokenId(2)), cut, 0.99, 0).distance, greatest_distance);
    EXPECT_EQ(number(draw_token(four({}).candidates, cut, 0.6)), 0U);
    EXPECT_EQ(number(draw_token(four({}).candidates, cut, 0.99)), 1U);
}

// Which of two nearly equal ones comes first is noise between engines, and with a cut it decides what is left.
TEST(TokenScore, JustBehindTheCutIsNear) {
    Position position = four(TokenId(2));
    position.candidates[2].logit = position.candidates[1].logit - 0.1F;
    const SamplingProfile cut{.temperature = 1, .top_k = 2};
    TokenScore score = score_token(position, cut, 0.97, 0);
    EXPECT_FALSE(score.replayed);
    EXPECT_NEAR(score.distance, 0.03, 1e-6);
    EXPECT_LT(score.surprise, 1);
    position.candidates[2].logit -= 0.2F;
    EXPECT_EQ(score_token(position, cut, 0.97, 0).distance, greatest_distance);
}

TEST(TokenScore, AnEndIsAnEnd) {
    Position position = four(TokenId(3));
    position.ends_text = true;
    EXPECT_GT(score_token(position, plain, 0.7, 0).distance, 0.2);
    position.other_ends = {TokenId(1)};
    EXPECT_TRUE(score_token(position, plain, 0.7, 0).replayed);
    EXPECT_NEAR(score_token(position, plain, 0.4, 0).distance, 0.1, 1e-6);  // to the nearer of the two
    EXPECT_TRUE(score_token(position, plain, 0.99, 0).replayed);
    EXPECT_FALSE(score_token(position, plain, 0.9, 0).replayed);
}

TEST(TokenScore, TokenThatIsNoCandidate) {
    TokenScore score = score_token(three_to_one(absent), plain, 0.999, 0.3);
    EXPECT_FALSE(score.replayed);
    EXPECT_EQ(score.distance, greatest_distance);
    EXPECT_EQ(score.rank, 1.0);
    EXPECT_GT(score.surprise, 10);  // bounded by epsilon, not infinite
    EXPECT_LT(score.surprise, 12);
}

TEST(TokenScore, LogProbabilityIsBoundedByEpsilon) {
    Position position = three_to_one(first);
    EXPECT_NEAR(score_token(position, plain, 0, 0).log_probability, std::log(0.5), 1e-12);
    position.log_probability = -50;
    EXPECT_EQ(score_token(position, plain, 0, 0).log_probability, std::log(1e-5));
    position.log_probability.reset();
    EXPECT_EQ(score_token(position, plain, 0, 0).log_probability, std::log(1e-5));
}

TEST(TokenScore, EqualLogitsAreOne) {
    Position position{.emitted = second, .candidates = {{first, 1}, {second, 1}, {absent, 0}}};
    TokenScore score = score_token(position, plain, 0.1, 0);  // of the two, an engine may sort either first
    EXPECT_TRUE(score.replayed);
    EXPECT_EQ(score.distance, 0);
}

TEST(TokenScore, GreedyTakesTheHighestWithinNoise) {
    const SamplingProfile greedy{.temperature = 0, .top_k = 40};
    Position position{.emitted = first, .candidates = {{first, 2.0F}, {second, 1.9F}, {absent, 1.0F}}};
    EXPECT_TRUE(score_token(position, greedy, 0.99, 0).replayed);
    position.emitted = second;
    EXPECT_FALSE(score_token(position, greedy, 0, 0).replayed);
    EXPECT_EQ(score_token(position, greedy, 0, 0).distance, 0);
    position.emitted = absent;
    TokenScore score = score_token(position, greedy, 0, 0);
    EXPECT_EQ(score.distance, 1);
    EXPECT_EQ(score.variance, 0);
    EXPECT_FALSE(score.rank);
}

TEST(TokenScore, NothingToDrawFrom) {
    Position position{.emitted = first};
    EXPECT_EQ(score_token(position, plain, 0, 0).distance, greatest_distance);
    EXPECT_FALSE(score_token(position, plain, 0, 0).replayed);
}

// A naive twin: the whole distribution in double precision, by its definition.
TEST(TokenScore, AgreesWithItsDefinition) {
    SeededRandom random(5);
    for (int round = 0; round < 2000; ++round) {
        std::size_t size = 1 + random.below(60);
        std::vector<double> logits;
        for (std::size_t i = 0; i < size; ++i) logits.push_back(12 * random.unit());
        std::ranges::sort(logits, std::greater{});
        Position position;
        for (std::size_t i = 0; i < size; ++i)
            position.candidates.push_back({TokenId(static_cast<std::uint32_t>(i)), static_cast<float>(logits[i])});
        SamplingProfile profile{.temperature = static_cast<float>(0.3 + random.unit()), .top_k = 40};
        std::size_t kept = std::min<std::size_t>(40, size);
        std::size_t at = random.below(kept);
        position.emitted = TokenId(static_cast<std::uint32_t>(at));
        double u = random.unit();
        double v = random.unit();
        double total = 0;
        for (std::size_t i = 0; i < kept; ++i) total += std::exp((logits[i] - logits[0]) / profile.temperature);
        double entropy = 0;
        double below = 0;
        double own = 0;
        double surely_below = 0;
        double surely_above = 0;
        for (std::size_t i = 0; i < kept; ++i) {
            double p = std::exp((logits[i] - logits[0]) / profile.temperature) / total;
            entropy -= p * std::log(p);
            if (i < at) below += p;
            if (i == at) own = p;
            const float likelier = position.candidates[i].logit - position.candidates[at].logit;
            if (likelier >= 0.2F) surely_below += p;
            if (likelier <= -0.2F) surely_above += p;
        }
        double distance = std::max({0.0, surely_below - u, u - (1 - surely_above)});
        TokenScore score = score_token(position, profile, u, v);
        ASSERT_NEAR(score.distance, std::min(0.5, distance), 1e-5);
        ASSERT_NEAR(*score.rank, below + v * own, 1e-5);
        if (own > least_probability) {
            ASSERT_NEAR(score.surprise, -std::log(own) - entropy, 1e-4);
        }
    }
}

}  // namespace
}  // namespace planetserve::scoring
