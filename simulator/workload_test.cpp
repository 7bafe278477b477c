#include "simulator/workload.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace planetserve::simulator {
namespace {

TEST(Workload, EqualSeedsAreEqualText) {
    WorkloadRequest a{.prompt = {{7, 100}, {8, 10}}, .prompt_tokens = 110, .output_tokens = 5};
    WorkloadRequest b{.prompt = {{7, 100}, {9, 10}}, .prompt_tokens = 110, .output_tokens = 5};
    Bytes of_a = a.prompt_bytes();
    Bytes of_b = b.prompt_bytes();
    ASSERT_EQ(of_a.size(), 440u);
    EXPECT_TRUE(std::equal(of_a.begin(), of_a.begin() + 400, of_b.begin()));
    EXPECT_NE(of_a, of_b);
    EXPECT_EQ(a.with_answer(0).size(), 460u);
    EXPECT_NE(a.with_answer(0), a.with_answer(1));
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
