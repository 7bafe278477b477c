#include <gtest/gtest.h>

#include <sstream>

#include "eval/churn/churn_experiment.h"
#include "eval/churn/churn_network.h"
#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

ChurnShape small() {
    ChurnShape shape;
    shape.nodes = 80;
    shape.users = 4;
    shape.models = 2;
    shape.departures_a_minute = 80 * 200.0 / 3119;
    shape.session = 2min;
    return shape;
}

double delivered(const ChurnResult& result) {
    return static_cast<double>(std::ranges::count_if(result.requests, &ChurnRequest::delivered)) /
           static_cast<double>(result.requests.size());
}

TEST(ChurnNetwork, WithoutDeparturesDeliversAll) {
    ChurnShape shape = small();
    shape.departures_a_minute = 0;
    auto result = run_churn(shape, 1, {}, {});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->requests.size(), 4u * 12u);
    EXPECT_EQ(delivered(*result), 1);
    EXPECT_EQ(result->departures, 0u);
    EXPECT_EQ(result->broken, 0u);
}

TEST(ChurnNetwork, IsItsSeedsToTheLastByte) {
    auto once = run_churn(small(), 1, {}, {});
    auto again = run_churn(small(), 1, {}, {});
    auto other = run_churn(small(), 2, {}, {});
    ASSERT_TRUE(once && again && other);
    EXPECT_GT(once->trace_events, 3000u);
    EXPECT_EQ(once->trace_hash, again->trace_hash);
    EXPECT_NE(once->trace_hash, other->trace_hash);
}

TEST(ChurnNetwork, RepairKeepsDeliveryWhereWithoutItPathsDieOut) {
    ChurnShape shape = small();
    shape.departures_a_minute *= 5;
    shape.session = 6min;
    auto repaired = run_churn(shape, 1, {}, {});
    shape.repair = false;
    auto left = run_churn(shape, 1, {}, {});
    ASSERT_TRUE(repaired && left);
    EXPECT_GT(delivered(*repaired), 0.9);
    EXPECT_LT(delivered(*left), 0.6);
    EXPECT_FALSE(repaired->repaired.empty());
    EXPECT_TRUE(left->repaired.empty());
}

TEST(ChurnNetwork, AnOrderlyDepartureIsNoticedInARoundTripAndASilentOneByAProbe) {
    ChurnShape shape = small();
    shape.departures_a_minute *= 3;
    shape.departure = Departure::orderly;
    auto orderly = run_churn(shape, 1, {}, {});
    shape.departure = Departure::silent;
    auto silent = run_churn(shape, 1, {}, {});
    ASSERT_TRUE(orderly && silent);
    ASSERT_FALSE(orderly->noticed.empty() || silent->noticed.empty());
    EXPECT_LT(std::ranges::max(orderly->noticed), 500ms);
    EXPECT_GT(std::ranges::max(silent->noticed), 4s);
    EXPECT_LE(std::ranges::max(silent->noticed), 20s) << "15 s until a probe, 3 s until it is given up";
}

TEST(ChurnNetwork, FaultsOfAScriptHappenAndAreInTheTrace) {
    ChurnShape shape = small();
    shape.departures_a_minute = 0;
    std::ostringstream lines;
    auto faults = simulator::parse_faults("10s crash 10-60\n");
    auto result = run_churn(shape, 1, *faults, {.trace = &lines});
    ASSERT_TRUE(result);
    EXPECT_NE(lines.str().find("\"crash 10-60\""), std::string::npos);
    EXPECT_NE(lines.str().find("link_down"), std::string::npos);
    auto beyond = simulator::parse_faults("10s crash 100\n");
    EXPECT_FALSE(run_churn(shape, 1, *beyond, {}));
}

TEST(Survival, IsTheBinomials) {
    EXPECT_DOUBLE_EQ(survival({1, 1}, 1, 0.01, 100s), std::exp(-1));
    double p = std::exp(-0.3);
    EXPECT_NEAR(survival({4, 3}, 3, 0.01, 10s), 4 * p * p * p * (1 - p) + p * p * p * p, 1e-12);
    EXPECT_DOUBLE_EQ(survival({4, 3}, 3, 0.01, 0s), 1);
}

TEST(ChurnExperiment, ReadsScriptsWritesTracesAndRefusesWhatCannotBe) {
    TemporaryFolder folder;
    auto script = (folder.path / "faults").string(), trace = (folder.path / "trace.csv").string();
    std::ofstream(script) << "5s vanish 20\n";
    auto ran = run_experiment(*make_churn_experiment(),
                              "--nodes 60 --users 2 --session-minutes 1 --faults " + script + " --trace " + trace);
    ASSERT_TRUE(ran) << ran.error().message;
    auto text = read_file(trace, 100 << 20);
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("\"vanish 20\""), std::string::npos);
    std::ofstream(script) << "5s explode 20\n";
    auto refused = run_experiment(*make_churn_experiment(), "--nodes 60 --users 2 --faults " + script);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("line 1"), std::string::npos);
    EXPECT_FALSE(run_experiment(*make_churn_experiment(), "--nodes 60 --users 50"));
    EXPECT_THROW((void)run_experiment(*make_churn_experiment(), "--nodes 3"), CLI::ParseError);
}

}  // namespace
}  // namespace planetserve::eval
