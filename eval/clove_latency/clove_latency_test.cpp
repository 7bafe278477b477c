#include <gtest/gtest.h>

#include <numeric>

#include "crypto/system_random.h"
#include "eval/clove_latency/clove_latency_experiment.h"
#include "eval/clove_latency/exchange_timer.h"
#include "eval/clove_latency/lengths.h"
#include "eval/clove_latency/steps.h"
#include "eval/clove_latency/texts.h"
#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

TEST(Lengths, ReadsAzureTraces) {
    auto requests = parse_azure_trace(
        "TIMESTAMP,ContextTokens,GeneratedTokens\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04,3180,8");
    ASSERT_TRUE(requests) << requests.error().message;
    ASSERT_EQ(requests->size(), 2U);
    EXPECT_EQ((*requests)[0].prompt, 4808U);
    EXPECT_EQ((*requests)[1].answer, 8U);
}

TEST(Lengths, NamesTheLineThatIsWrong) {
    auto wrong = [](std::string_view text) { return parse_azure_trace(text).error().message; };
    EXPECT_EQ(wrong("a,b\n"), "line 1 is not \"TIMESTAMP,ContextTokens,GeneratedTokens\"");
    for (std::string_view line : {"t,1,x", "t,1", ",", "t,-1,2", "t,1,99999999999"})
        EXPECT_EQ(wrong("TIMESTAMP,ContextTokens,GeneratedTokens\nt,1,2\n" + std::string(line)),
                  "line 3 is not a time and two numbers of tokens");
    EXPECT_EQ(wrong("TIMESTAMP,ContextTokens,GeneratedTokens\n"), "there are no requests in it");
}

TEST(ExchangeTimer, CarriesMessagesOfAnySize) {
    crypto::SystemRandom random;
    ExchangeTimer timer(random);
    for (std::uint32_t tokens : {1U, 2'000U, 130'000U}) {
        auto times = timer.run(chat_request(tokens), {chat_answer(tokens)});
        ASSERT_TRUE(times) << times.error().message;
        for (double time : {times->prepare_prompt, times->open_prompt, times->prepare_answer, times->open_answer})
            EXPECT_GT(time, 0);
    }
    // More than the reply window, in pieces.
    std::vector<Bytes> pieces(40, Bytes(100'000));
    auto times = timer.run(chat_request(10), pieces);
    ASSERT_TRUE(times) << times.error().message;
    EXPECT_EQ(times->prepare_piece.size(), 40U);
    EXPECT_NEAR(std::accumulate(times->open_piece.begin(), times->open_piece.end(), 0.0), times->open_answer, 1e-6);
}

TEST(Steps, KeysAreForRequestsAlone) {
    crypto::SystemRandom random;
    auto request = time_steps(chat_request(5'000), true, random);
    auto answer = time_steps(chat_request(5'000), false, random);
    EXPECT_GT(request.prepare[0], 0);
    EXPECT_GT(request.open[0], 0);
    EXPECT_EQ(answer.prepare[0], 0);
    EXPECT_EQ(answer.open[0], 0);
}

TEST(CloveLatencyExperiment, RunsOnATraceOfItsOwn) {
    TemporaryFolder folder;
    auto file = folder.path / "two lengths.csv";
    ASSERT_TRUE(write_file(file, "TIMESTAMP,ContextTokens,GeneratedTokens\nt,100,10\nt,3000,500\n"));
    auto ran = run_experiment(*make_clove_latency_experiment(), "--requests 20 --trace '" + file.string() + "'");
    ASSERT_TRUE(ran) << ran.error().message;
    for (std::string_view key : {"\"two_lengths_prepare_answer_p50_us\"", "\"two_lengths_open_answer_p99_us\"",
                                 "\"two_lengths_open_prompt_share_keys\"", "\"2000_tokens_prepare_prompt_p50_us\"",
                                 "\"streamed_token_open_answer_p99_us\""})
        EXPECT_TRUE(ran->summary.contains(key)) << key;
    EXPECT_TRUE(ran->file("messages.csv").starts_with("lengths,prompt_tokens,answer_tokens,prepare_prompt_us"));
}

}  // namespace
}  // namespace planetserve::eval
