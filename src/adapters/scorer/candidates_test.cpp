#include "adapters/scorer/candidates.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/random.h"

namespace planetserve::adapters {
namespace {

TEST(Candidates, AreTheHighestInDescendingOrder) {
    SeededRandom random(1);
    for (int round = 0; round < 200; ++round) {
        std::vector<float> logits(1 + random.below(300));
        for (float& logit : logits) logit = static_cast<float>(random.below(100));
        auto top_k = static_cast<std::uint32_t>(random.below(60));
        auto found = likeliest(logits, top_k);
        auto sorted = logits;
        std::ranges::sort(sorted, std::greater{});
        ASSERT_EQ(found.size(), std::min<std::size_t>(top_k, logits.size()));
        for (std::size_t i = 0; i < found.size(); ++i) {
            ASSERT_EQ(found[i].logit, sorted[i]);
            ASSERT_EQ(logits[number(found[i].token)], found[i].logit);
        }
    }
}

TEST(Candidates, WhatIsNoNumberIsNoCandidate) {
    float nan = std::numeric_limits<float>::quiet_NaN();
    float never = -std::numeric_limits<float>::infinity();
    auto found = likeliest(std::vector<float>{nan, 1, never, 2, nan}, 5);
    ASSERT_EQ(found.size(), 3U);
    EXPECT_EQ(number(found[0].token), 3U);
    EXPECT_EQ(number(found[1].token), 1U);
    EXPECT_EQ(number(found[2].token), 2U);
}

TEST(Candidates, LogSoftmax) {
    std::vector<float> logits{1, 2, 3};
    double sum = std::exp(1) + std::exp(2) + std::exp(3);
    for (std::uint32_t i = 0; i < 3; ++i) EXPECT_NEAR(log_softmax(logits, i), logits[i] - std::log(sum), 1e-6);
}

}  // namespace
}  // namespace planetserve::adapters
