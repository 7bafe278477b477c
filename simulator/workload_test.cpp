#include "simulator/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>

namespace planetserve::simulator {
namespace {

class TraceTest : public testing::Test {
protected:
    ~TraceTest() override { std::filesystem::remove(file_); }
    Result<Workload> read(const std::string& text, std::size_t most = 0) {
        std::ofstream(file_) << text;
        return read_trace(file_, most);
    }
    std::string file_ = testing::TempDir() + "workload_test.jsonl";
};

TEST_F(TraceTest, EqualBlocksAreEqualText) {
    auto trace = read(R"({"timestamp": 0, "input_length": 1100, "output_length": 5, "hash_ids": [0, 1, 2]}
{"timestamp": 3000, "input_length": 1030, "output_length": 0, "hash_ids": [0, 1, 3]}
)");
    ASSERT_TRUE(trace) << trace.error().message;
    ASSERT_EQ(trace->size(), 2u);
    const WorkloadRequest& first = (*trace)[0];
    const WorkloadRequest& second = (*trace)[1];
    Bytes a = first.prompt_bytes();
    Bytes b = second.prompt_bytes();
    EXPECT_EQ(a.size(), 1100u * 4);
    EXPECT_EQ(b.size(), 1030u * 4);
    EXPECT_TRUE(std::equal(a.begin(), a.begin() + 1024 * 4, b.begin()));
    EXPECT_NE(a[1024 * 4 + 1], b[1024 * 4 + 1]);
    EXPECT_EQ(second.output_tokens, 1u) << "an answer has a token";
    EXPECT_EQ(second.at, 3s);
    EXPECT_EQ(first.with_answer(0).size(), 1105u * 4);
    EXPECT_NE(first.with_answer(0), first.with_answer(1));
}

TEST_F(TraceTest, ARequestFollowsTheLatestThatItContinues) {
    auto trace = read(R"({"timestamp": 0, "input_length": 1024, "output_length": 5, "hash_ids": [0, 1]}
{"timestamp": 1, "input_length": 1024, "output_length": 5, "hash_ids": [0, 2]}
{"timestamp": 2, "input_length": 1600, "output_length": 5, "hash_ids": [0, 1, 3, 4]}
{"timestamp": 3, "input_length": 2100, "output_length": 5, "hash_ids": [0, 1, 3, 4, 5]}
{"timestamp": 4, "input_length": 600, "output_length": 5, "hash_ids": [0, 6]}
)");
    ASSERT_TRUE(trace) << trace.error().message;
    EXPECT_FALSE((*trace)[0].follows);
    EXPECT_FALSE((*trace)[1].follows) << "the first block is everybody's";
    EXPECT_EQ((*trace)[2].follows, 0u);
    EXPECT_EQ((*trace)[3].follows, 2u);
    EXPECT_FALSE((*trace)[4].follows);
}

TEST_F(TraceTest, EqualTimesAreSpread) {
    std::string line = R"(, "input_length": 10, "output_length": 5, "hash_ids": [0]})";
    std::string text;
    for (int time : {0, 0, 0, 3000, 3000, 6000}) text += "{\"timestamp\": " + std::to_string(time) + line + "\n";
    auto trace = read(text);
    ASSERT_TRUE(trace) << trace.error().message;
    std::vector<Duration> times;
    for (const WorkloadRequest& request : *trace) times.push_back(request.at);
    EXPECT_EQ(times, (std::vector<Duration>{0s, 1s, 2s, 3s, 4500ms, 6s}));
    EXPECT_EQ(read(text, 2)->size(), 2u);
}

TEST_F(TraceTest, WhatIsNoTraceIsRefused) {
    EXPECT_FALSE(read_trace(file_ + ".absent"));
    for (const char* text : {"", "{}\n", "[]\n", "nonsense\n",
                             "{\"timestamp\": 0, \"input_length\": 513, \"output_length\": 5, \"hash_ids\": [0]}\n",
                             "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 5, \"hash_ids\": [0, 1]}\n",
                             "{\"timestamp\": 0, \"input_length\": -5, \"output_length\": 5, \"hash_ids\": []}\n"}) {
        auto trace = read(text);
        EXPECT_FALSE(trace) << text;
    }
}

TEST(Workload, SharedBeginningsFollowZipf) {
    SeededRandom random(1);
    Workload workload = shared_prompts(SharedPrompts::tools(50), 5000, random);
    std::map<std::uint64_t, int> counts;
    for (const WorkloadRequest& request : workload) {
        ++counts[request.prompt[0].seed];
        EXPECT_GE(request.prompt[0].tokens, 2000u);
        EXPECT_LE(request.prompt_tokens, 8300u);
    }
    std::vector<int> sorted;
    for (auto [seed, count] : counts) sorted.push_back(count);
    std::ranges::sort(sorted, std::greater{});
    // 1 / sum(i^-1.1, i = 1..50) of the requests, and 2^-1.1 of that.
    EXPECT_NEAR(sorted[0], 5000 / 3.71, 120);
    EXPECT_NEAR(sorted[1], 5000 / 3.71 / 2.14, 90);
}

TEST(Workload, ArrivalsHaveTheRate) {
    SeededRandom random(1);
    Workload workload = shared_prompts(SharedPrompts::tools(5), 4000, random);
    set_poisson_arrivals(workload, 20, random);
    EXPECT_NEAR(mean_rate(workload), 20, 1);
    scale_arrivals(workload, 5);
    EXPECT_NEAR(mean_rate(workload), 5, 1e-3);
}

}  // namespace
}  // namespace planetserve::simulator
