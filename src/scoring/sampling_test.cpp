#include "scoring/sampling.h"

#include <gtest/gtest.h>

namespace planetserve::scoring {
namespace {

Nonce counting_nonce() {
    Nonce nonce;
    for (std::size_t i = 0; i < nonce.value.size(); ++i) nonce.value[i] = static_cast<std::uint8_t>(i);
    return nonce;
}

// Computed apart from this code, from the definitions.
TEST(Sampling, SeedFollowsFromTheNonce) { EXPECT_EQ(seed_of(counting_nonce()), 0x2bca3a73U); }

TEST(Sampling, AUsersSeedKeepsItsMeaning) {
    EXPECT_EQ(seed_of(SamplingProfile{.seed = 42}, counting_nonce()), 42U);
    EXPECT_EQ(seed_of(SamplingProfile{.seed = 0}, counting_nonce()), 0U);
    EXPECT_EQ(seed_of(SamplingProfile{}, counting_nonce()), 0x2bca3a73U);
}

TEST(Sampling, DrawsAreThoseOfTheMersenneTwister) {
    SamplingDraws draws(42);
    EXPECT_DOUBLE_EQ(draws.next(), 0.796542984287846);
    EXPECT_DOUBLE_EQ(draws.next(), 0.18343478789336848);
}

// What llama.cpp's `dist` sampler calls.
TEST(Sampling, DrawsAreThoseOfTheStandardLibrary) {
    for (std::uint32_t seed : {0U, 1U, 42U, 0x7fffffffU, 0xfffffffeU}) {
        std::mt19937 twister(seed);
        std::uniform_real_distribution<double> uniform(0.0F, 1.0F);
        SamplingDraws draws(seed);
        for (int i = 0; i < 2000; ++i) ASSERT_EQ(draws.next(), uniform(twister)) << seed << " " << i;
    }
}

TEST(Sampling, CompanionDrawsFollowFromTheNonce) {
    CompanionDraws draws(counting_nonce());
    EXPECT_DOUBLE_EQ(draws.next(), 0.8818164215546062);
    EXPECT_DOUBLE_EQ(draws.next(), 0.45839904700361034);
    draws.next();
    draws.next();
    EXPECT_DOUBLE_EQ(draws.next(), 0.052928561528245766);
    EXPECT_DOUBLE_EQ(draws.next(), 0.7569103005533745);
}

TEST(Sampling, RefusesWhatCannotBeReplayed) {
    EXPECT_TRUE(scorable(SamplingProfile{}));
    EXPECT_TRUE(scorable(SamplingProfile{.temperature = 0}));
    EXPECT_FALSE(scorable(SamplingProfile{.temperature = -1}));
    EXPECT_FALSE(scorable(SamplingProfile{.temperature = 1e-6F}));
    EXPECT_FALSE(scorable(SamplingProfile{.temperature = std::numeric_limits<float>::quiet_NaN()}));
    EXPECT_FALSE(scorable(SamplingProfile{.top_k = 0}));
    EXPECT_FALSE(scorable(SamplingProfile{.top_k = 1025}));
    EXPECT_TRUE(scorable(usual_sampling));
    EXPECT_TRUE(scorable(SamplingProfile{.top_p = 0, .min_p = 1}));
    EXPECT_FALSE(scorable(SamplingProfile{.top_p = 1.01F}));
    EXPECT_FALSE(scorable(SamplingProfile{.min_p = -0.1F}));
    EXPECT_FALSE(scorable(SamplingProfile{.top_p = std::numeric_limits<float>::quiet_NaN()}));
    EXPECT_FALSE(scorable(SamplingProfile{.seed = random_seed}));
    EXPECT_FALSE(scorable(SamplingProfile{.max_tokens = 1'000'001}));
}

}  // namespace
}  // namespace planetserve::scoring
