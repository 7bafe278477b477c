#include "simulator/engine_model.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>

namespace planetserve::simulator {
namespace {

class EngineModelTest : public testing::Test, public EngineOutput {
protected:
    void on_first_token(std::uint64_t number, const EngineUsage& usage) override {
        first_[number] = to_seconds(events_.now() - start_);
        usage_[number] = usage;
    }
    void on_finished(std::uint64_t number, const EngineUsage&) override {
        finished_[number] = to_seconds(events_.now() - start_);
    }
    EngineModel& engine(EngineParameters parameters) {
        return *(engine_ = std::make_unique<EngineModel>(events_, parameters, *this));
    }
    // A prompt and answer whose blocks are the numbers from `blocks_from` on.
    Status submit(std::uint64_t number, std::uint32_t prompt, std::uint32_t output, BlockId blocks_from) {
        EngineRequest request{number, prompt, output, {}};
        request.blocks.resize((prompt + output) / engine_->parameters().block_tokens);
        std::iota(request.blocks.begin(), request.blocks.end(), blocks_from);
        return engine_->submit(std::move(request));
    }

    static constexpr EngineParameters plain{.prefill_tokens_per_second = 1000,
                                            .decode_tokens_per_second = 10,
                                            .batch_cost = 0.1,
                                            .maximum_running = 2,
                                            .step_tokens = 100,
                                            .block_tokens = 10,
                                            .cache_tokens = 1000};
    EventQueue events_;
    Time start_ = events_.now();
    std::unique_ptr<EngineModel> engine_;
    std::map<std::uint64_t, double> first_;
    std::map<std::uint64_t, double> finished_;
    std::map<std::uint64_t, EngineUsage> usage_;
};

TEST_F(EngineModelTest, APromptAloneTakesItsTokensAtTheRates) {
    engine(plain);
    ASSERT_TRUE(submit(1, 250, 5, 0));
    events_.run_for(10s);
    EXPECT_DOUBLE_EQ(first_[1], 0.25);
    EXPECT_DOUBLE_EQ(finished_[1], 0.25 + 4 * 0.1);
    EXPECT_EQ(usage_[1].cached_tokens, 0u);
    EXPECT_EQ(engine_->queued(), 0u);
    EXPECT_DOUBLE_EQ(to_seconds(engine_->busy()), 0.65);
}

TEST_F(EngineModelTest, AnswersSlowEachOtherDownByTheBatchCost) {
    engine(plain);
    ASSERT_TRUE(submit(1, 10, 11, 0));
    ASSERT_TRUE(submit(2, 10, 11, 100));
    events_.run_for(10s);
    EXPECT_DOUBLE_EQ(first_[1], 0.02) << "both prompts fit one step";
    EXPECT_DOUBLE_EQ(finished_[1], 0.02 + 10 * 0.11);
    EXPECT_DOUBLE_EQ(finished_[2], finished_[1]);
}

TEST_F(EngineModelTest, APromptDelaysTheTokensOfOthersByAStepAtATime) {
    engine(plain);
    ASSERT_TRUE(submit(1, 10, 3, 0));
    events_.run_for(15ms);  // the first token is there, the step to the second runs
    ASSERT_TRUE(submit(2, 198, 1, 100));
    events_.run_for(10s);
    EXPECT_DOUBLE_EQ(finished_[1], 0.01 + 0.1 + 0.1 + 0.099);
    EXPECT_DOUBLE_EQ(first_[2], finished_[1] + 0.099);
}

TEST_F(EngineModelTest, RequestsBeyondTheMostThatRunWaitInOrder) {
    engine(plain);
    for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(submit(i, 10, 11, 100 * i));
    events_.run_for(5ms);
    EXPECT_EQ(engine_->running(), 2u);
    EXPECT_EQ(engine_->waiting(), 2u);
    EXPECT_EQ(engine_->queued_tokens(), 40u);
    events_.run_for(10s);
    EXPECT_GT(first_[2], finished_[0]);
    EXPECT_GT(finished_[3], finished_[1]);
}

TEST_F(EngineModelTest, CachedBlocksAreNotComputedAgain) {
    engine(plain);
    ASSERT_TRUE(submit(1, 100, 10, 0));
    events_.run_for(10s);
    start_ = events_.now();
    ASSERT_TRUE(submit(2, 100, 1, 0));
    ASSERT_TRUE(submit(3, 120, 1, 0));
    events_.run_for(10s);
    EXPECT_EQ(usage_[2].cached_tokens, 90u) << "the last token is computed in any case";
    EXPECT_EQ(usage_[3].cached_tokens, 110u) << "the answer's blocks are held too";
    EXPECT_DOUBLE_EQ(first_[2], 0.02);
}

TEST_F(EngineModelTest, ARunningPromptServesThoseThatComeAfterIt) {
    engine(plain);
    ASSERT_TRUE(submit(1, 200, 20, 0));
    events_.run_for(250ms);
    ASSERT_TRUE(submit(2, 200, 1, 0));
    events_.run_for(10s);
    EXPECT_EQ(usage_[2].cached_tokens, 190u);
}

TEST_F(EngineModelTest, TheLeastRecentlyUsedPrefixIsGivenUpDeepestFirst) {
    engine(plain);
    ASSERT_TRUE(submit(1, 390, 10, 0));
    events_.run_for(10s);
    ASSERT_TRUE(submit(2, 390, 10, 100));
    events_.run_for(10s);
    ASSERT_TRUE(submit(3, 391, 1, 0));  // uses the first one again
    events_.run_for(10s);
    EXPECT_EQ(usage_[3].cached_tokens, 390u);
    ASSERT_TRUE(submit(4, 390, 10, 200));  // 20 blocks too many
    events_.run_for(10s);
    std::vector<BlockId> first(39);
    std::vector<BlockId> second(39);
    std::iota(first.begin(), first.end(), 0);
    std::iota(second.begin(), second.end(), 100);
    EXPECT_EQ(engine_->cached_tokens(first, 391), 390u);
    EXPECT_EQ(engine_->cached_tokens(second, 391), 210u) << "19 blocks, after the one of the first's answer";
    EXPECT_LE(engine_->cache().held(), engine_->cache().capacity());
}

TEST_F(EngineModelTest, ARequestWaitsUntilItsBlocksFit) {
    engine(plain);
    ASSERT_TRUE(submit(1, 590, 10, 0));
    ASSERT_TRUE(submit(2, 590, 10, 100));
    events_.run_for(100ms);
    EXPECT_EQ(engine_->running(), 1u);
    events_.run_for(20s);
    EXPECT_GT(first_[2], finished_[1]);
    EXPECT_FALSE(submit(3, 995, 10, 0)) << "would never fit";
}

TEST(BlockIds, NameThePrefix) {
    Bytes a(160, 7);
    Bytes b = a;
    b[70] = 8;
    auto of_a = block_ids(a, 64);
    auto of_b = block_ids(b, 64);
    ASSERT_EQ(of_a.size(), 2u);
    EXPECT_EQ(of_a[0], of_b[0]);
    EXPECT_NE(of_a[1], of_b[1]);
    EXPECT_NE(of_a[0], of_a[1]) << "the same text at another place";
}

}  // namespace
}  // namespace planetserve::simulator
