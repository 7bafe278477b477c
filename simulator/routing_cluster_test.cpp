#include "simulator/routing_cluster.h"

#include <gtest/gtest.h>

#include <set>

namespace planetserve::simulator {
namespace {

struct RoutingClusterTest : testing::Test {
    RoutingClusterTest() {
        SeededRandom random(5);
        workload = shared_prompts({.beginnings = 24, .shortest = 1000, .longest = 3000}, 400, random);
        set_poisson_arrivals(workload, 12, random);
        options.nodes = 4;
        options.engine.cache_tokens = 24'000;
    }
    ClusterResult run(Arm arm) {
        options.arm = arm;
        auto result = run_cluster(workload, options);
        EXPECT_TRUE(result) << result.error().message;
        EXPECT_EQ(result->refused_messages, 0u);
        for (const RequestOutcome& outcome : result->outcomes) {
            EXPECT_GT(outcome.first_token.count(), 0);
            EXPECT_GE(outcome.latency, outcome.first_token);
        }
        return std::move(*result);
    }
    static double hit_rate(const ClusterResult& result) {
        double cached = 0;
        double prompts = 0;
        for (const RequestOutcome& outcome : result.outcomes) {
            cached += outcome.cached_tokens;
            prompts += outcome.prompt_tokens;
        }
        return cached / prompts;
    }
    static double mean_latency(const ClusterResult& result) {
        double sum = 0;
        for (const RequestOutcome& outcome : result.outcomes) sum += to_seconds(outcome.latency);
        return sum / static_cast<double>(result.outcomes.size());
    }

    Workload workload;
    ClusterOptions options;
};

TEST_F(RoutingClusterTest, RoundRobinGoesRoundAndSendsNothing) {
    auto result = run(Arm::round_robin);
    for (std::size_t i = 0; i < result.outcomes.size(); ++i) EXPECT_EQ(result.outcomes[i].node, i % 4);
    for (const NodeUse& node : result.nodes) EXPECT_EQ(node.requests, 100u);
    EXPECT_EQ(result.sync_bytes, 0u);
}

TEST_F(RoutingClusterTest, SharedBeginningsMeetTheirCaches) {
    auto plain = run(Arm::round_robin);
    auto ours = run(Arm::ours);
    EXPECT_GT(hit_rate(ours), hit_rate(plain) + 0.1);
    EXPECT_LT(mean_latency(ours), mean_latency(plain) * 0.8);
    EXPECT_GT(ours.sync_bytes, 0u);
    std::size_t false_claims = 0;
    for (const RequestOutcome& outcome : ours.outcomes) false_claims += outcome.ever_held ? 0 : 1;
    EXPECT_EQ(false_claims, 0u);
}

TEST_F(RoutingClusterTest, TheOracleKnows) {
    auto result = run(Arm::oracle);
    for (const RequestOutcome& outcome : result.outcomes) EXPECT_EQ(outcome.claimed_tokens, outcome.held_tokens);
    EXPECT_GT(hit_rate(result), hit_rate(run(Arm::round_robin)));
}

TEST_F(RoutingClusterTest, TheTreeAloneNeverLeavesAHolder) {
    auto result = run(Arm::hr_tree);
    // No node tells a load, so where the prefix is held, the request goes to a holder.
    for (const RequestOutcome& outcome : result.outcomes) {
        EXPECT_NE(outcome.reason, routing::Reason::overloaded_hits);
        EXPECT_FALSE(outcome.reason == routing::Reason::no_hit && outcome.forwarded);
    }
}

TEST_F(RoutingClusterTest, AConversationComesInWhereItWasServed) {
    for (std::size_t i = 1; i < workload.size(); ++i) {
        workload[i].follows = i - 1;
        workload[i].prompt = workload[0].prompt;
        workload[i].prompt_tokens = workload[0].prompt_tokens;
    }
    auto result = run(Arm::hr_tree);
    for (const RequestOutcome& outcome : result.outcomes) EXPECT_EQ(outcome.node, result.outcomes[0].node);
    for (std::size_t i = 1; i < workload.size(); ++i) EXPECT_FALSE(result.outcomes[i].forwarded);
}

TEST_F(RoutingClusterTest, TheGroupsArrayHasTheEndsOfItsTools) {
    SeededRandom random(8);
    workload = shared_prompts({.beginnings = 10, .shortest = 400, .longest = 4000, .own_shortest = 40}, 2500, random);
    set_poisson_arrivals(workload, 12, random);
    std::set<std::uint32_t> ends;
    for (const WorkloadRequest& request : workload) ends.insert(request.prompt[0].tokens * bytes_per_token);
    ASSERT_EQ(ends.size(), 10u);
    options.member.adapt_array = true;
    auto result = run(Arm::ours);
    ASSERT_EQ(result.arrays.size(), 4u);
    for (const routing::ChunkLengths& array : result.arrays) {
        EXPECT_EQ(array, result.arrays[0]);
        std::vector<std::uint32_t> found;
        std::uint32_t end = 0;
        for (std::size_t i = 0; i < array.lengths.size(); ++i) {
            end += array.lengths[i];
            if (i % 2 == 0) found.push_back(end);
        }
        EXPECT_TRUE(std::ranges::equal(
            found, ends, [](std::uint32_t at, std::uint32_t expected) { return at <= expected && at + 8 > expected; }))
            << testing::PrintToString(found) << testing::PrintToString(ends);
    }
}

TEST_F(RoutingClusterTest, ARunIsItsSeeds) {
    auto once = run(Arm::ours);
    auto again = run(Arm::ours);
    options.seed = 2;
    auto other = run(Arm::ours);
    EXPECT_EQ(once.sync_bytes, again.sync_bytes);
    bool differs = false;
    for (std::size_t i = 0; i < workload.size(); ++i) {
        EXPECT_EQ(once.outcomes[i].latency, again.outcomes[i].latency);
        EXPECT_EQ(once.outcomes[i].node, again.outcomes[i].node);
        differs |= once.outcomes[i].node != other.outcomes[i].node;
    }
    EXPECT_TRUE(differs);
}

TEST_F(RoutingClusterTest, WhatNeverFitsIsAnError) {
    options.engine.cache_tokens = 1000;
    EXPECT_FALSE(run_cluster(workload, options));
    EXPECT_FALSE(run_cluster({}, options));
}

TEST_F(RoutingClusterTest, CapacityIsWhatASaturatedRoundRobinServes) {
    auto capacity = round_robin_capacity(workload, options);
    ASSERT_TRUE(capacity);
    // Between computing all and computing nothing of the prompts on four engines.
    EXPECT_GT(*capacity, 4 * 5000 / 2500.0);
    EXPECT_LT(*capacity, 4 * 32 / 2.0);
}

}  // namespace
}  // namespace planetserve::simulator
