#include "scoring/answer_score.h"

#include <gtest/gtest.h>

#include <cmath>

#include "scoring/made_answers_fixture.h"

namespace planetserve::scoring {
namespace {

constexpr SamplingProfile profile{.temperature = 0.8F, .top_k = 20, .max_tokens = 200};

TEST(AnswerScore, AnHonestAnswerReplays) {
    MadeAnswers answers(1);
    for (int i = 0; i < 20; ++i) {
        MadeAnswer answer = answers.draw(profile, 200);
        AnswerScore score = answer.score(profile);
        EXPECT_EQ(score.structure, Structure::sound);
        Pool pool;
        pool.add(score);
        Statistics figures = pool.statistics();
        EXPECT_EQ(figures.tokens, 200U);
        EXPECT_EQ(figures.mismatches, 0U);
        EXPECT_EQ(figures.margin, 0);
        EXPECT_LT(std::abs(figures.entropy_z), 5);
        EXPECT_LT(figures.kolmogorov_smirnov, 2.2);  // 1e-4 of all samples are above
    }
}

TEST(AnswerScore, AnswersAsUsersAskForThemReplay) {
    MadeAnswers answers(6);
    for (const SamplingProfile& asked : {usual_sampling, SamplingProfile{.temperature = 1, .top_p = 0.9F},
                                         SamplingProfile{.temperature = 0.7F, .top_k = 40, .min_p = 0.1F}}) {
        SamplingProfile limited = asked;
        limited.max_tokens = 400;
        MadeAnswer answer = answers.draw(limited, 400);
        Pool pool;
        pool.add(answer.score(limited));
        EXPECT_EQ(pool.statistics().mismatches, 0U);
        EXPECT_LT(std::abs(pool.statistics().entropy_z), 5);
        EXPECT_LT(pool.statistics().kolmogorov_smirnov, 2.2);
        limited.top_p = 1;
        limited.min_p = 0;
        Pool wider;
        wider.add(answer.score(limited));
        EXPECT_GT(wider.statistics().mismatches, 20U);
    }
}

TEST(AnswerScore, AnotherSeedDoesNot) {
    MadeAnswers answers(2);
    MadeAnswer answer = answers.draw(profile, 200);
    answer.nonce.value[0] ^= 1;
    Pool pool;
    pool.add(answer.score(profile));
    EXPECT_GT(pool.statistics().mismatches, 50U);
    EXPECT_GT(pool.statistics().margin, 0.05);
    EXPECT_LT(std::abs(pool.statistics().entropy_z), 5);  // it is a sample of the same distribution all the same
}

TEST(AnswerScore, ReversePerplexityIsThePapers) {
    std::vector<Position> positions(4);
    double sum = 0;
    for (std::size_t i = 0; i < positions.size(); ++i) {
        double p = 0.1 * static_cast<double>(i + 1);
        positions[i].log_probability = std::log(p);
        sum += std::log(p);
    }
    positions.push_back({});  // the last token counts, and an unreadable one counts as epsilon
    Pool pool;
    pool.add(score_answer({.positions = positions, .finish = FinishReason::max_tokens}, profile, {}));
    EXPECT_NEAR(pool.statistics().inverse_perplexity, std::exp((sum + std::log(1e-5)) / 5), 1e-12);
}

TEST(AnswerScore, PoolsAreTheirAnswersTogether) {
    MadeAnswers answers(3);
    Pool pool;
    double distance = 0;
    std::size_t tokens = 0;
    for (std::uint32_t length : {1U, 30U, 100U}) {
        MadeAnswer answer = answers.draw(profile, length);
        answer.nonce.value[0] ^= 1;
        AnswerScore score = answer.score(profile);
        for (const TokenScore& token : score.tokens) distance += token.distance;
        tokens += score.tokens.size();
        pool.add(score);
    }
    EXPECT_EQ(pool.tokens(), tokens);
    EXPECT_NEAR(pool.statistics().margin, distance / static_cast<double>(tokens), 1e-12);
    EXPECT_EQ(pool.statistics().unsound, 3U);  // all shorter than max_tokens
}

TEST(AnswerScore, KolmogorovDistance) {
    EXPECT_NEAR(kolmogorov_distance({0.5}), 0.5, 1e-12);
    EXPECT_NEAR(kolmogorov_distance({0.9, 0.1}), 0.4, 1e-12);
    EXPECT_NEAR(kolmogorov_distance({0.125, 0.375, 0.625, 0.875}), 0.125, 1e-12);
    EXPECT_NEAR(kolmogorov_distance({1, 1, 1}), 1, 1e-12);
}

TEST(AnswerScore, StructureOfAnAnswer) {
    MadeAnswers answers(4);
    auto structure = [&](std::uint32_t length, FinishReason finish, auto change) {
        MadeAnswer answer = answers.draw(profile, length);
        answer.finish = finish;
        change(answer);
        return answer.score(profile).structure;
    };
    auto nothing = [](MadeAnswer&) {};
    auto end_at = [](std::size_t place) {
        return [place](MadeAnswer& answer) { answer.positions[place].ends_text = true; };
    };
    EXPECT_EQ(structure(200, FinishReason::max_tokens, nothing), Structure::sound);
    EXPECT_EQ(structure(197, FinishReason::max_tokens, nothing), Structure::sound);  // the end of a stream may be lost
    EXPECT_EQ(structure(196, FinishReason::max_tokens, nothing), Structure::too_short);
    EXPECT_EQ(structure(201, FinishReason::max_tokens, nothing), Structure::too_long);
    EXPECT_EQ(structure(0, FinishReason::max_tokens, nothing), Structure::empty);
    EXPECT_EQ(structure(50, FinishReason::end_of_text, end_at(49)), Structure::sound);
    EXPECT_EQ(structure(50, FinishReason::end_of_text, nothing), Structure::false_end);
    EXPECT_EQ(structure(50, FinishReason::end_of_text, end_at(20)), Structure::went_on);
    // An end that the nonce does not draw.
    EXPECT_EQ(structure(50, FinishReason::end_of_text,
                        [](MadeAnswer& answer) {
                            answer.positions[49].emitted = TokenId{99999};
                            answer.positions[49].ends_text = true;
                        }),
              Structure::false_end);
    EXPECT_EQ(structure(60, FinishReason::context_full, nothing), Structure::too_short);
    EXPECT_EQ(structure(60, FinishReason::context_full, [](MadeAnswer& answer) { answer.context_left = 60; }),
              Structure::sound);
    EXPECT_EQ(structure(59, FinishReason::context_full, [](MadeAnswer& answer) { answer.context_left = 60; }),
              Structure::too_short);
}

// Of a long answer only the beginning is scored.
TEST(AnswerScore, WhatIsBehindThePositionsCounts) {
    MadeAnswers answers(7);
    MadeAnswer answer = answers.draw(profile, 50);
    auto structure = [&](FinishReason finish, std::size_t unscored, const SamplingProfile& asked) {
        return score_answer({.positions = answer.positions, .finish = finish, .unscored = unscored}, asked,
                            answer.nonce)
            .structure;
    };
    const SamplingProfile unlimited{.temperature = 0.8F, .top_k = 20};
    EXPECT_EQ(structure(FinishReason::end_of_text, 10, unlimited), Structure::sound);
    EXPECT_EQ(structure(FinishReason::context_full, 10, unlimited), Structure::sound);
    EXPECT_EQ(structure(FinishReason::context_full, 0, unlimited), Structure::too_short);
    EXPECT_EQ(structure(FinishReason::max_tokens, 10, unlimited), Structure::too_short);
    EXPECT_EQ(structure(FinishReason::max_tokens, 150, profile), Structure::sound);
    EXPECT_EQ(structure(FinishReason::max_tokens, 100, profile), Structure::too_short);
    EXPECT_EQ(structure(FinishReason::max_tokens, 151, profile), Structure::too_long);
    answer.positions.back().ends_text = true;
    EXPECT_EQ(structure(FinishReason::end_of_text, 10, unlimited), Structure::went_on);
}

}  // namespace
}  // namespace planetserve::scoring
