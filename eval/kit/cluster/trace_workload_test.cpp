#include "eval/kit/cluster/trace_workload.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace planetserve::eval {
namespace {

TEST(TraceWorkload, EqualBlocksAreEqualTextAndTheLastIsPartial) {
    auto workload = workload_of({{0, 1100, 5, {0, 1, 2}}, {3000, 1030, 0, {0, 1, 3}}});
    ASSERT_EQ(workload.size(), 2u);
    Bytes a = workload[0].prompt_bytes();
    Bytes b = workload[1].prompt_bytes();
    EXPECT_EQ(a.size(), 1100u * 4);
    EXPECT_EQ(b.size(), 1030u * 4);
    EXPECT_TRUE(std::equal(a.begin(), a.begin() + 1024 * 4, b.begin()));
    EXPECT_FALSE(std::equal(a.begin() + 1024 * 4, a.begin() + 1030 * 4, b.begin() + 1024 * 4));
    EXPECT_EQ(workload[1].output_tokens, 1u);
    EXPECT_EQ(workload[1].at, 3s);
}

TEST(TraceWorkload, ARequestFollowsTheLatestThatItContinues) {
    auto workload = workload_of({{0, 1024, 5, {0, 1}},
                                 {1, 1024, 5, {0, 2}},
                                 {2, 1600, 5, {0, 1, 3, 4}},
                                 {3, 2100, 5, {0, 1, 3, 4, 5}},
                                 {4, 600, 5, {0, 6}},
                                 {5, 0, 0, {}}});
    EXPECT_FALSE(workload[0].follows);
    EXPECT_FALSE(workload[1].follows) << "the first block is everybody's";
    EXPECT_EQ(workload[2].follows, 0u);
    EXPECT_EQ(workload[3].follows, 2u);
    EXPECT_FALSE(workload[4].follows);
    EXPECT_EQ(workload[5].prompt_bytes().size(), 4u);
}

TEST(TraceWorkload, EqualTimesAreSpread) {
    std::vector<TraceRequest> trace;
    for (int time : {0, 0, 0, 3000, 3000, 6000}) trace.push_back({time, 10, 5, {0}});
    std::vector<Duration> times;
    for (const auto& request : workload_of(trace)) times.push_back(request.at);
    EXPECT_EQ(times, (std::vector<Duration>{0s, 1s, 2s, 3s, 4500ms, 6s}));
}

TEST(TraceWorkload, FilesOutOfOrderAreRefused) {
    const std::string file = testing::TempDir() + "trace_workload_test.jsonl";
    auto line = [](int time) {
        return "{\"timestamp\": " + std::to_string(time) +
               ", \"input_length\": 3, \"output_length\": 5, \"hash_ids\": [0]}\n";
    };
    std::ofstream(file) << line(1) << line(2) << line(3);
    auto trace = load_trace(file, 2);
    ASSERT_TRUE(trace) << trace.error().message;
    EXPECT_EQ(trace->size(), 2u);
    std::ofstream(file) << line(2) << line(1);
    EXPECT_FALSE(load_trace(file, 0));
    std::filesystem::remove(file);
    EXPECT_FALSE(load_trace(file, 0));
}

}  // namespace
}  // namespace planetserve::eval
