// With a real model, the small default one, where PLANETSERVE_MODELS is set.
#include "adapters/scorer/llama_scorer.h"

#include <gtest/gtest.h>
#include <llama.h>

#include <cstdlib>

#include "base/random.h"
#include "scoring/answer_score.h"

namespace planetserve::adapters {
namespace {

using scoring::TokenId;

constexpr scoring::SamplingProfile profile{.temperature = 0.8F, .top_k = 40, .max_tokens = 24};

std::vector<TokenId> some_prompt(std::uint64_t seed, std::uint32_t vocabulary) {
    SeededRandom random(seed);
    std::vector<TokenId> prompt;
    for (std::size_t i = 0; i < 20 + seed % 60; ++i)
        prompt.push_back(TokenId(static_cast<std::uint32_t>(100 + random.below(vocabulary - 100))));
    return prompt;
}

class RealModel : public testing::Test {
protected:
    void SetUp() override {
        const char* models = std::getenv("PLANETSERVE_MODELS");
        if (!models) GTEST_SKIP() << "PLANETSERVE_MODELS is not set";
        options.model_file = std::filesystem::path(models) / "SmolLM2-135M-Instruct.Q8_0.gguf";
        if (!std::filesystem::exists(options.model_file)) GTEST_SKIP() << "there is no " << options.model_file;
        options.context = 256;
        auto loaded = LlamaScorer::load(options);
        ASSERT_TRUE(loaded) << loaded.error().message;
        scorer = std::move(*loaded);
    }

    // As an engine does: one token at a time, by llama.cpp's own samplers.
    PromptAndAnswer generate(const std::vector<TokenId>& prompt, const scoring::SamplingProfile& how,
                             const scoring::Nonce& nonce) {
        llama_model_params model_parameters = llama_model_default_params();
        llama_model* model = llama_model_load_from_file(options.model_file.c_str(), model_parameters);
        llama_context_params context_parameters = llama_context_default_params();
        context_parameters.n_ctx = 256;
        context_parameters.n_threads = context_parameters.n_threads_batch = 1;
        context_parameters.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
        llama_context* context = llama_init_from_model(model, context_parameters);
        llama_sampler* chain = llama_sampler_chain_init(llama_sampler_chain_default_params());
        llama_sampler_chain_add(chain, llama_sampler_init_top_k(static_cast<std::int32_t>(how.top_k)));
        llama_sampler_chain_add(chain, llama_sampler_init_temp(how.temperature));
        llama_sampler_chain_add(chain, llama_sampler_init_dist(scoring::seed_of(how, nonce)));
        PromptAndAnswer text{.prompt = prompt};
        std::vector<llama_token> feed;
        for (TokenId token : prompt) feed.push_back(static_cast<llama_token>(number(token)));
        for (std::uint32_t i = 0; i < how.max_tokens; ++i) {
            llama_decode(context, llama_batch_get_one(feed.data(), static_cast<std::int32_t>(feed.size())));
            llama_token drawn = llama_sampler_sample(chain, context, -1);
            text.answer.push_back(TokenId(static_cast<std::uint32_t>(drawn)));
            feed = {drawn};
        }
        llama_sampler_free(chain);
        llama_free(context);
        llama_model_free(model);
        return text;
    }

    scoring::Statistics figures(const std::vector<scoring::Position>& positions, const scoring::SamplingProfile& how,
                                const scoring::Nonce& nonce) {
        scoring::Pool pool;
        pool.add(
            scoring::score_answer({.positions = positions, .finish = scoring::FinishReason::max_tokens}, how, nonce));
        return pool.statistics();
    }

    LlamaScorerOptions options;
    std::unique_ptr<LlamaScorer> scorer;
};

TEST_F(RealModel, ReplaysWhatTheEnginesOwnSamplersDraw) {
    std::vector<PromptAndAnswer> texts;
    std::vector<scoring::Nonce> nonces;
    SeededRandom random(3);
    for (std::uint64_t i = 0; i < 4; ++i) {
        nonces.push_back(random.id<scoring::Nonce>());
        texts.push_back(generate(some_prompt(i * 20, scorer->vocabulary()), profile, nonces.back()));
    }
    auto scored = scorer->score(texts, profile.top_k, Feeding::steps);
    ASSERT_TRUE(scored) << scored.error().message;
    ASSERT_EQ(scored->size(), texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
        ASSERT_EQ((*scored)[i].size(), texts[i].answer.size());
        EXPECT_EQ(figures((*scored)[i], profile, nonces[i]).mismatches, 0U) << i;
        auto other = nonces[i];
        other.value[0] ^= 1;
        EXPECT_GT(figures((*scored)[i], profile, other).mismatches, 4U) << i;
    }
}

TEST_F(RealModel, ReplaysGreedyAnswers) {
    scoring::SamplingProfile greedy{.temperature = 0, .top_k = 40, .max_tokens = 24};
    PromptAndAnswer text = generate(some_prompt(7, scorer->vocabulary()), greedy, {});
    auto scored = scorer->score(std::span(&text, 1), greedy.top_k, Feeding::steps);
    ASSERT_TRUE(scored) << scored.error().message;
    EXPECT_EQ(figures((*scored)[0], greedy, {}).mismatches, 0U);
}

TEST_F(RealModel, OnePassSeesWhatTokenByTokenDoes) {
    std::vector<PromptAndAnswer> texts;
    for (std::uint64_t i = 0; i < 3; ++i) {
        auto prompt = some_prompt(i * 31, scorer->vocabulary());
        texts.push_back({prompt, {prompt.rbegin(), prompt.rbegin() + 10}});
    }
    texts.push_back({some_prompt(1, scorer->vocabulary()), {}});  // an empty answer among others
    auto together = scorer->score(texts, 40, Feeding::steps);
    ASSERT_TRUE(together) << together.error().message;
    EXPECT_TRUE((*together)[3].empty());
    for (std::size_t i = 0; i < 3; ++i) {
        auto alone = scorer->score(std::span(&texts[i], 1), 40, Feeding::steps);
        ASSERT_TRUE(alone);
        for (std::size_t place = 0; place < texts[i].answer.size(); ++place) {
            const auto& a = (*together)[i][place];
            const auto& b = (*alone)[0][place];
            EXPECT_EQ(a.emitted, texts[i].answer[place]);
            EXPECT_EQ(a.candidates, b.candidates) << i << " " << place;
            EXPECT_EQ(a.log_probability, b.log_probability);
        }
    }
    auto next = scorer->extend(0, texts[1].prompt, 40);
    for (std::size_t place = 0; place < texts[1].answer.size(); ++place) {
        ASSERT_TRUE(next) << next.error().message;
        EXPECT_EQ((*together)[1][place].candidates, *next) << place;
        next = scorer->extend(0, std::span(texts[1].answer).subspan(place, 1), 40);
    }
    scorer->forget(0);
    EXPECT_TRUE(scorer->extend(0, texts[0].prompt, 40));
}

TEST_F(RealModel, RefusesWhatDoesNotFit) {
    auto refused = [this](PromptAndAnswer text) {
        auto scored = scorer->score(std::span(&text, 1), 40, Feeding::blocks);
        return !scored && scored.error().code == ErrorCode::invalid_argument;
    };
    EXPECT_TRUE(refused({{}, {TokenId{5}}}));
    EXPECT_TRUE(refused({{TokenId{5}}, {TokenId{scorer->vocabulary()}}}));
    EXPECT_TRUE(refused({{TokenId{scorer->vocabulary()}}, {TokenId{5}}}));
    EXPECT_TRUE(refused({std::vector<TokenId>(200, TokenId{5}), std::vector<TokenId>(57, TokenId{5})}));
    EXPECT_FALSE(refused({std::vector<TokenId>(200, TokenId{5}), std::vector<TokenId>(56, TokenId{5})}));
    EXPECT_FALSE(scorer->extend(99, std::vector<TokenId>{TokenId{5}}, 40));
}

TEST_F(RealModel, StopsWhenAsked) {
    std::stop_source stop;
    stop.request_stop();
    PromptAndAnswer text{std::vector<TokenId>(100, TokenId{5}), std::vector<TokenId>(100, TokenId{5})};
    auto scored = scorer->score(std::span(&text, 1), 40, Feeding::blocks, stop.get_token());
    ASSERT_FALSE(scored);
    EXPECT_EQ(scored.error().code, ErrorCode::cancelled);
    EXPECT_TRUE(scorer->score(std::span(&text, 1), 40, Feeding::blocks));
}

TEST(LlamaScorer, SaysWhyAModelCannotBeUsed) {
    auto missing = LlamaScorer::load({.model_file = "/nowhere/model.gguf"});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::not_found);
    auto wrong = LlamaScorer::load({.model_file = "/proc/self/exe"});
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument);
    EXPECT_FALSE(wrong.error().message.empty());
}

}  // namespace
}  // namespace planetserve::adapters
