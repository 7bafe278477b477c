#include "routing/decide.h"

#include <gtest/gtest.h>

#include <array>

namespace planetserve::routing {
namespace {

// A node with F = `factor` (one queued request, capacity one).
Candidate node(double factor, std::uint32_t depth = 0, Trust trust = Trust::trusted) {
    Candidate candidate;
    candidate.trust = trust;
    candidate.load = {static_cast<std::uint32_t>(factor * 1e6), 1, 1, 0, 1000};
    candidate.depth = depth;
    candidate.cached_tokens = depth * 64;
    return candidate;
}

struct DecideTest : testing::Test {
    SeededRandom random{3};
    Parameters parameters = Parameters::paper();
    Request request{1500, 0};

    void expect(std::vector<Candidate> candidates, std::size_t chosen, Reason reason) {
        auto decision = decide(candidates, request, parameters, random);
        ASSERT_TRUE(decision);
        EXPECT_EQ(decision->chosen, chosen);
        EXPECT_EQ(decision->reason, reason);
    }
    std::vector<int> spread(const std::vector<Candidate>& candidates, int times = 1000) {
        std::vector<int> counts(candidates.size());
        for (int i = 0; i < times; ++i) ++counts[decide(candidates, request, parameters, random)->chosen];
        return counts;
    }
};

TEST_F(DecideTest, FactorIsLatencyTimesQueueByCapacity) {
    LoadReport load{500'000, 6, 4, 0, 0};
    EXPECT_DOUBLE_EQ(load.factor(), 0.75);
    EXPECT_DOUBLE_EQ((LoadReport{500'000, 6, 0, 0, 0}.factor()), 3.0) << "no division by zero";
}

TEST_F(DecideTest, LatencyMovesByAnEighth) {
    LatencyAverage average;
    average.add(800ms);
    EXPECT_DOUBLE_EQ(average.microseconds(), 800'000);
    average.add(1600ms);
    EXPECT_DOUBLE_EQ(average.microseconds(), 900'000);
    average.add(-1s);
    EXPECT_DOUBLE_EQ(average.microseconds(), 787'500);
}

TEST_F(DecideTest, NoHitGoesToTheLowestFactor) { expect({node(3), node(1), node(2)}, 1, Reason::no_hit); }

TEST_F(DecideTest, ShallowMatchIsNoHit) {
    parameters.hit_depth = 4;
    expect({node(3, 3), node(1), node(2, 4), node(9), node(9)}, 2, Reason::hit);
    expect({node(3, 3), node(1), node(2, 3)}, 1, Reason::no_hit);
}

TEST_F(DecideTest, LowestFactorAmongHits) {
    expect({node(3, 5), node(1), node(2, 1), node(9), node(9)}, 2, Reason::hit);
}

TEST_F(DecideTest, UntrustedHitDoesNotCount) {
    expect({node(3), node(1), node(0.5, 9, Trust::not_trusted)}, 1, Reason::no_trusted_hit);
    expect({node(3, 2), node(1), node(0.5, 9, Trust::not_trusted), node(9), node(9)}, 0, Reason::hit);
}

TEST_F(DecideTest, UntrustedNodeGetsNothing) {
    expect({node(3), node(0, 0, Trust::not_trusted)}, 0, Reason::no_hit);
    EXPECT_FALSE(decide(std::vector{node(1, 1, Trust::not_trusted), node(1, 0, Trust::not_trusted)}, request,
                        parameters, random));
    EXPECT_FALSE(decide({}, request, parameters, random));
}

TEST_F(DecideTest, OverloadedIsAboveTheEightiethPercentile) {
    // Of five nodes, the 80th percentile is the fourth F plus a fifth of the last step.
    expect({node(1), node(2), node(3), node(4), node(5, 8)}, 0, Reason::overloaded_hits);
    expect({node(1), node(2), node(3), node(4, 1), node(5, 8)}, 3, Reason::hit);
    expect({node(2, 1), node(2), node(2)}, 0, Reason::hit);
}

TEST_F(DecideTest, InFlightForwardsCount) {
    std::vector<Candidate> candidates{node(1), node(1.5)};
    candidates[0].in_flight_requests = 1;
    expect(candidates, 0, Reason::no_hit);
    parameters.count_in_flight = true;
    expect(candidates, 1, Reason::no_hit);
}

TEST_F(DecideTest, TiesSpread) {
    EXPECT_EQ(spread({node(1), node(1.05), node(1.15), node(3)}), (std::vector{1000, 0, 0, 0}));
    parameters.spread_ties = true;
    auto counts = spread({node(1), node(1.05), node(1.15), node(3)});
    EXPECT_EQ(counts[3], 0);
    for (int i = 0; i < 3; ++i) EXPECT_NEAR(counts[static_cast<std::size_t>(i)], 333, 100);
    // Idle nodes all have F = 0.
    Candidate idle = node(1);
    idle.load.queued = 0;
    for (int count : spread({idle, idle, idle, idle})) EXPECT_NEAR(count, 250, 90);
}

TEST_F(DecideTest, CostWeighsCacheAgainstQueue) {
    parameters.expected_cost = true;
    // 1,500 tokens at 1,000 a second; the holder has 1,280 of them cached.
    expect({node(0.1), node(1, 20)}, 1, Reason::hit);
    expect({node(0.1), node(1.5, 20)}, 0, Reason::least_cost);
    expect({node(0.1), node(1.5, 0)}, 0, Reason::no_hit);
    std::vector<Candidate> queued{node(0.1), node(0.1, 20)};
    queued[1].load.queued_tokens = 3000;
    expect(queued, 0, Reason::least_cost);
    parameters.count_in_flight = true;
    std::vector<Candidate> in_flight{node(0.1), node(0.1, 20)};
    in_flight[1].in_flight_tokens = 3000;
    expect(in_flight, 0, Reason::least_cost);
}

TEST_F(DecideTest, ComputingCountsForThoseItHoldsUp) {
    parameters.expected_cost = true;
    // The first node is idle and must compute 1,500 tokens. The other runs four of eight requests and must compute 220.
    std::vector<Candidate> candidates{node(0), node(2, 20)};
    for (Candidate& candidate : candidates) candidate.load.capacity = 8;
    candidates[1].load.queued = 4;
    EXPECT_DOUBLE_EQ(expected_cost(candidates[0], request, parameters), 1.5);
    EXPECT_DOUBLE_EQ(expected_cost(candidates[1], request, parameters), 0.22) << "no waiting while there are places";
    parameters.count_others = true;
    EXPECT_DOUBLE_EQ(expected_cost(candidates[1], request, parameters), 0.22 * 5);
    parameters.displacement = 0.5;
    parameters.load_weight = 0.1;
    EXPECT_DOUBLE_EQ(expected_cost(candidates[1], request, parameters), 0.22 * 5.5 + 0.1 * (2 * 4 / 8.0));
    candidates[1].load.queued = 9;
    EXPECT_DOUBLE_EQ(expected_cost(candidates[1], request, parameters), 0.22 * 9.5 + 2 * 2 / 8.0 + 0.1 * (2 * 9 / 8.0));
}

TEST_F(DecideTest, CommonPartAloneIsNoHit) {
    request.common_depth = 2;
    expect({node(3, 2), node(1), node(9)}, 0, Reason::hit);
    parameters.ignore_common_part = true;
    expect({node(3, 2), node(1), node(9)}, 1, Reason::no_hit);
    expect({node(3, 3), node(1), node(9)}, 0, Reason::hit);
}

TEST_F(DecideTest, OverflowGoesToPartialHolders) {
    parameters.hit_depth = 3;
    std::vector<Candidate> candidates{node(1), node(1.5, 1), node(3), node(4), node(5, 8)};
    expect(candidates, 0, Reason::overloaded_hits);
    parameters.prefer_partial_holders = true;
    expect(candidates, 1, Reason::overloaded_hits);
    candidates[1].load.latency_us = 4'500'000;
    expect(candidates, 0, Reason::overloaded_hits);
}

// Sixteen entry nodes see the same reports. With the additions, no node gets more than a few times its share.
TEST_F(DecideTest, EntryNodesDoNotHerd) {
    auto busiest = [&](const Parameters& chosen) {
        parameters = chosen;
        std::vector<int> arrived(16);
        for (int entry = 0; entry < 16; ++entry) {
            std::vector<Candidate> view(16, node(1));
            for (int sent = 0; sent < 8; ++sent) {
                std::size_t to = decide(view, request, parameters, random)->chosen;
                ++arrived[to];
                ++view[to].in_flight_requests;
                view[to].in_flight_tokens += request.prompt_tokens;
            }
        }
        return *std::ranges::max_element(arrived);
    };
    EXPECT_EQ(busiest(Parameters::paper()), 128) << "the flow chart alone";
    EXPECT_LE(busiest(Parameters{}), 20) << "eight on average";
}

TEST_F(DecideTest, InFlightAgesOutAndIsBounded) {
    InFlight forwards;
    Time start{};
    for (int i = 0; i < 3; ++i) forwards.on_forward(start + i * 1s, 100);
    EXPECT_EQ(forwards.requests(), 3u);
    EXPECT_EQ(forwards.tokens(), 300u);
    forwards.on_report(start + 1s);
    EXPECT_EQ(forwards.requests(), 2u);
    forwards.expire(start + 40s);
    EXPECT_EQ(forwards.tokens(), 0u);
    for (int i = 0; i < 1000; ++i) forwards.on_forward(start, 1);
    EXPECT_EQ(forwards.requests(), 256u);
    EXPECT_EQ(forwards.tokens(), 256u);
}

}  // namespace
}  // namespace planetserve::routing
