#include "eval/workload/work.h"

#include <gtest/gtest.h>

#include "eval/workload/engine_metrics.h"
#include "eval/workload/trace.h"

namespace planetserve::eval {
namespace {

TEST(Workload, ReadsPromptsAndMessages) {
    auto items = parse_workload(
        "# a comment\n"
        "{\"timestamp_ms\": 1500.5, \"prompt\": \"say \\\"a\\\"\", \"max_tokens\": 7, \"session\": \"s\"}\r\n"
        "\n"
        "{\"messages\": [{\"role\": \"user\", \"content\": \"b\"}]}");
    ASSERT_TRUE(items) << items.error().message;
    ASSERT_EQ(items->size(), 2U);
    EXPECT_EQ(items->at(0).at, Duration(1'500'500));
    EXPECT_EQ(items->at(0).messages, R"([{"role":"user","content":"say \"a\""}])");
    EXPECT_EQ(items->at(0).max_tokens, 7U);
    EXPECT_EQ(items->at(0).session, "s");
    EXPECT_FALSE(items->at(1).at);
    EXPECT_EQ(items->at(1).messages, R"([{"role":"user","content":"b"}])");
}

TEST(Workload, SaysWhichLineIsWrong) {
    for (std::string bad : {"{", "[]", "{}", R"({"prompt": 1})", R"({"prompt": "a", "messages": []})",
                            R"({"messages": []})", R"({"messages": ["a"]})", R"({"prompt": "a", "max_tokens": 0})",
                            R"({"prompt": "a", "max_tokens": 1e9})", R"({"prompt": "a", "timestamp_ms": -1})",
                            R"({"prompt": "a", "session": 3})", R"({"prompt": "a", "promt": 3})"}) {
        auto items = parse_workload("{\"prompt\": \"good\"}\n" + bad + "\n");
        ASSERT_FALSE(items) << bad;
        EXPECT_TRUE(items.error().message.starts_with("line 2 ")) << items.error().message;
    }
    EXPECT_FALSE(parse_workload("\n\n"));
    auto unknown = parse_workload(R"({"prompt": "a", "promt": 3})");
    ASSERT_FALSE(unknown);
    EXPECT_TRUE(unknown.error().message.contains("\"promt\""));
}

TEST(Arrivals, PoissonHasTheRateAndTheSpreadOfOne) {
    std::vector<WorkItem> items(20'000);
    SeededRandom random(1);
    arrive_at_rate(items, 4, random);
    EXPECT_EQ(items.front().at, Duration(0));
    double mean = 0;
    double square = 0;
    auto gaps = static_cast<double>(items.size() - 1);
    for (std::size_t i = 1; i < items.size(); ++i) {
        double gap = to_seconds(*items[i].at - *items[i - 1].at);
        ASSERT_GE(gap, 0);
        mean += gap / gaps;
        square += gap * gap / gaps;
    }
    EXPECT_NEAR(mean, 0.25, 0.01);
    // The standard deviation of an exponential distribution is its mean.
    EXPECT_NEAR(square - mean * mean, 0.0625, 0.005);
    std::vector<WorkItem> again(20'000);
    SeededRandom same(1);
    arrive_at_rate(again, 4, same);
    EXPECT_EQ(again.back().at, items.back().at);
}

TEST(Arrivals, OwnTimesAreCountedFromTheFirstAndSpedUp) {
    std::vector<WorkItem> items(3);
    items[0].at = 9s;
    items[1].at = 5s;
    items[2].at = 6s;
    ASSERT_TRUE(arrive_as_given(items, 2));
    EXPECT_EQ(items[0].at, Duration(0));
    EXPECT_EQ(items[1].at, Duration(500ms));
    EXPECT_EQ(items[2].at, Duration(2s));
    items[1].at.reset();
    EXPECT_FALSE(arrive_as_given(items, 1));
}

constexpr std::string_view trace_text =
    "{\"timestamp\": 0, \"input_length\": 1100, \"output_length\": 50, \"hash_ids\": [0, 1, 2]}\n"
    "{\"timestamp\": 900, \"input_length\": 600, \"output_length\": 5, \"hash_ids\": [0, 9]}\n"
    "{\"timestamp\": 1000, \"input_length\": 1500, \"output_length\": 10, \"hash_ids\": [0, 1, 3]}\n";

TEST(Trace, SharedBlocksAreSharedText) {
    auto trace = parse_trace(trace_text);
    ASSERT_TRUE(trace) << trace.error().message;
    ASSERT_EQ(trace->size(), 3U);
    TraceScale scale{0.125, 0.5, 20};
    std::string first = prompt_of(trace->at(0), scale);
    std::string other = prompt_of(trace->at(1), scale);
    std::string later = prompt_of(trace->at(2), scale);
    auto words = [](const std::string& text) { return 1 + std::ranges::count(text, ' '); };
    EXPECT_EQ(words(first), 64 + 64 + 10);
    EXPECT_EQ(words(later), 64 + 64 + 60);  // 59.5, rounded
    auto common = [](const std::string& a, const std::string& b) {
        auto end = std::ranges::mismatch(a, b).in1;
        return 1 + std::count(a.begin(), end, ' ');
    };
    EXPECT_NEAR(static_cast<double>(common(first, later)), 129, 2);
    EXPECT_NEAR(static_cast<double>(common(first, other)), 65, 2);
    WorkItem item = work_of(trace->at(0), scale);
    EXPECT_EQ(item.max_tokens, 20U);
    EXPECT_EQ(work_of(trace->at(1), scale).max_tokens, 3U);
    EXPECT_EQ(work_of(trace->at(1), scale).at, Duration(900ms));
}

TEST(Trace, RefusesWhatDoesNotFitTogether) {
    for (std::string bad : {R"({"timestamp": 0, "input_length": 513, "output_length": 1, "hash_ids": [1]})",
                            R"({"timestamp": 0, "input_length": 5, "output_length": 1, "hash_ids": [-1]})",
                            R"({"timestamp": -1, "input_length": 5, "output_length": 1, "hash_ids": [1]})",
                            R"({"timestamp": 0, "input_length": 5, "output_length": 1})", "[1]"})
        EXPECT_FALSE(parse_trace(bad)) << bad;
}

TEST(Trace, PicksWholeConversationsAndKnowsTheirCeiling) {
    auto trace = parse_trace(trace_text);
    ASSERT_TRUE(trace);
    SeededRandom random(1);
    auto picked = pick_conversations(*trace, 10, 2, 512, 2000, random);
    ASSERT_EQ(picked.size(), 2U);
    EXPECT_EQ(picked[0].timestamp_ms, 0);
    EXPECT_EQ(picked[1].timestamp_ms, 1000);
    EXPECT_DOUBLE_EQ(infinite_cache_share(picked), 1024.0 / 2600);
    EXPECT_TRUE(pick_conversations(*trace, 10, 2, 512, 1400, random).empty());
    EXPECT_EQ(pick_conversations(*trace, 1, 1, 1, 2000, random).size(), 1U);
}

TEST(Metrics, OfVllm) {
    auto metrics = parse_engine_metrics(
        "# TYPE vllm:num_requests_running gauge\n"
        "vllm:num_requests_running{engine=\"0\",model_name=\"a } \\\" b\"} 3.0\n"
        "vllm:num_requests_running{engine=\"1\",model_name=\"m\"} 1.0\n"
        "vllm:num_requests_waiting 2 1700000000\n"
        "vllm:kv_cache_usage_perc{engine=\"0\"} 0.5\n"
        "vllm:kv_cache_usage_perc{engine=\"1\"} 0.25\n"
        "vllm:prefix_cache_queries_total 1e+03\n"
        "vllm:prefix_cache_hits_total 250\n"
        "vllm:generation_tokens_total NaN\n"
        "vllm:broken{ 3\nvllm:empty\n");
    EXPECT_EQ(metrics.running, 4);
    EXPECT_EQ(metrics.waiting, 2);
    EXPECT_EQ(metrics.kv_usage, 0.375);
    EXPECT_EQ(metrics.prefix_queries, 1000);
    EXPECT_EQ(metrics.prefix_hits, 250);
    EXPECT_FALSE(metrics.generated_tokens);
}

TEST(Metrics, OfLlamaServer) {
    auto metrics = parse_engine_metrics(
        "llamacpp:prompt_tokens_total 32\nllamacpp:prompt_tokens_cached_total 8\nllamacpp:requests_processing 1\n"
        "llamacpp:requests_deferred 0\nllamacpp:tokens_predicted_total 6\n");
    EXPECT_EQ(metrics.running, 1);
    EXPECT_EQ(metrics.waiting, 0);
    EXPECT_EQ(metrics.prompt_tokens, 40);
    EXPECT_EQ(metrics.prefix_queries, 40);
    EXPECT_EQ(metrics.prefix_hits, 8);
    EXPECT_EQ(metrics.generated_tokens, 6);
    EXPECT_FALSE(metrics.kv_usage);
}

}  // namespace
}  // namespace planetserve::eval
