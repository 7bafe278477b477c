#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "eval/verification/arms.h"
#include "eval/verification/detection.h"
#include "eval/verification/prompts.h"
#include "eval/verification/reputation.h"

namespace planetserve::eval {
namespace {

TEST(Detection, AreaUnderTheCurve) {
    std::vector<double> honest{1, 2, 3, 4};
    EXPECT_DOUBLE_EQ(area_under_curve(honest, std::vector<double>{5, 6}), 1);
    EXPECT_DOUBLE_EQ(area_under_curve(honest, std::vector<double>{0}), 0);
    EXPECT_DOUBLE_EQ(area_under_curve(honest, std::vector<double>{2.5}), 0.5);
    EXPECT_DOUBLE_EQ(area_under_curve(honest, std::vector<double>{2}), 0.375);
    EXPECT_DOUBLE_EQ(area_under_curve(honest, honest), 0.5);
    EXPECT_TRUE(std::isnan(area_under_curve({}, honest)));
}

TEST(Detection, FoundAtSoManyFalseAlarms) {
    std::vector<double> honest;
    for (int i = 1; i <= 100; ++i) honest.push_back(i);
    // One of a hundred may be above: the threshold is the second highest.
    EXPECT_DOUBLE_EQ(detected_at(honest, std::vector<double>{99, 99.5, 200, 1}, 0.01), 0.5);
    EXPECT_DOUBLE_EQ(detected_at(honest, std::vector<double>{99.5, 101}, 0), 0.5);
}

TEST(Detection, WindowsKeepStructure) {
    TokenStream stream;
    scoring::AnswerScore sound{.tokens = std::vector<scoring::TokenScore>(10)};
    scoring::AnswerScore cut{.tokens = std::vector<scoring::TokenScore>(3), .structure = scoring::Structure::false_end};
    stream.add(sound);
    stream.add(cut);
    stream.add(sound);
    auto parts = windows(stream, 5);
    ASSERT_EQ(parts.size(), 4U);  // of 23 tokens
    EXPECT_EQ(parts[0].unsound + parts[1].unsound + parts[3].unsound, 0U);
    EXPECT_EQ(parts[2].unsound, 1U);
}

TEST(ReputationOfAnExperiment, FollowsTheFormula) {
    Reputation good(ReputationRules{});
    good.add(1);
    EXPECT_DOUBLE_EQ(good.value(), 0.4 * 0.5 + 0.6);
    Reputation bad(ReputationRules{});
    bad.add(0.3);  // one abnormal of five is borne: 1/5 is not above 1/5
    EXPECT_DOUBLE_EQ(bad.value(), 0.2 + 0.6 * 0.3);
    double before = bad.value();
    bad.add(0.3);  // two are not: (5 + 1) / (5 + 2 / 0.2 + 2) = 6 / 17
    EXPECT_DOUBLE_EQ(bad.value(), 0.4 * before + 6.0 / 17 * 0.3);
    EXPECT_FALSE(bad.trusted());
}

TEST(ReputationOfAnExperiment, CurvesAreThoseOfManyNodes) {
    auto always = reputation_curve({1.0}, {}, 10, 5, 1);
    EXPECT_NEAR(always.mean.back(), 1, 1e-3);
    EXPECT_NEAR(always.trusted.back(), 1, 1e-9);
    auto never = reputation_curve({0.0}, {}, 10, 5, 1);
    EXPECT_NEAR(never.trusted.back(), 0, 1e-9);
    EXPECT_EQ(ever_untrusted({1.0}, {}, 1000, 5, 1), 0.0);
    EXPECT_EQ(ever_untrusted({0.0}, {}, 1, 5, 1), 1.0);
    // One epoch in a hundred is bad; two in a row are seen sooner or later.
    std::vector<double> seldom(100, 1.0);
    seldom.front() = 0.0;
    EXPECT_EQ(ever_untrusted(seldom, {}, 2, 200, 1), ever_untrusted(seldom, {}, 2, 200, 1));
    EXPECT_LT(ever_untrusted(seldom, {}, 2, 2000, 1), ever_untrusted(seldom, {}, 1000, 2000, 1));
    EXPECT_EQ(reputation_curve({0.2, 0.9}, {}, 10, 5, 1).mean, reputation_curve({0.2, 0.9}, {}, 10, 5, 1).mean);
}

TEST(Prompts, AreDifferentAndDependOnTheSeed) {
    auto prompts = user_prompts(500, 1);
    std::set<std::string> texts;
    for (const auto& messages : prompts) texts.insert(boost::json::serialize(messages));
    EXPECT_EQ(texts.size(), 500U);
    EXPECT_EQ(user_prompts(500, 1), prompts);
    EXPECT_NE(user_prompts(500, 2), prompts);
}

TEST(Prompts, AlterationsChangeThem) {
    for (const Messages& messages : user_prompts(20, 3)) {
        EXPECT_EQ(altered(messages, Alteration::none), messages);
        for (Alteration how : {Alteration::system_prompt, Alteration::clickbait, Alteration::injection})
            EXPECT_NE(altered(messages, how), messages);
        EXPECT_EQ(altered(messages, Alteration::system_prompt).front().as_object()["role"].as_string(), "system");
    }
}

TEST(Arms, DrawAsTheyAreAskedUnlessTheyCheat) {
    scoring::SamplingProfile asked{.temperature = 1, .max_tokens = 9};
    scoring::Nonce nonce;
    std::set<std::string> names;
    for (const Arm& arm : engine_arms(false)) {
        auto drawn = as_drawn(arm, asked, 0xffffffff, nonce);
        EXPECT_TRUE(scoring::scorable(drawn)) << arm.name;
        EXPECT_TRUE(names.insert(arm.name).second);
        bool cheats = arm.ignores_seed || arm.temperature != 1;
        EXPECT_EQ(drawn.seed == scoring::seed_of(nonce) && drawn.temperature == asked.temperature, !cheats) << arm.name;
    }
}

}  // namespace
}  // namespace planetserve::eval
