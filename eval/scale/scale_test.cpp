#include <gtest/gtest.h>

#include <cmath>

#include "eval/kit/experiment_fixture.h"
#include "eval/scale/costs.h"
#include "eval/scale/directory_costs.h"
#include "eval/scale/group_costs.h"
#include "eval/scale/population.h"
#include "eval/scale/scale_experiment.h"

namespace planetserve::eval {
namespace {

TEST(Growth, IsTheExponent) {
    EXPECT_NEAR(growth({{1, 5}, {10, 50}, {100, 500}}), 1, 1e-9);
    EXPECT_NEAR(growth({{2, 12}, {4, 48}}), 2, 1e-9);
    EXPECT_TRUE(std::isnan(growth({{2, 12}})));
}

TEST(DirectoryCosts, ListsGrowInProportionAndTheirFetchingFaster) {
    auto few = measure_directory(100, 8, 12, 1), many = measure_directory(1000, 80, 12, 1);
    ASSERT_TRUE(few) << few.error().message;
    ASSERT_TRUE(many) << many.error().message;
    EXPECT_NEAR(static_cast<double>(many->list_bytes) / static_cast<double>(few->list_bytes), 10, 0.5);
    EXPECT_GT(many->registry_bytes_a_second, 50 * few->registry_bytes_a_second);
}

TEST(Population, AnswersAndCountsItsPaths) {
    PopulationShape shape;
    shape.users = 60;
    shape.measured = 2min;
    shape.requests_an_hour = 60;
    auto cost = run_population(shape, 1, [](double) {});
    EXPECT_EQ(cost.paths_up, 240u);
    EXPECT_GT(cost.requests, 60u);
    EXPECT_LE(cost.answered, cost.requests);
    EXPECT_GE(static_cast<double>(cost.answered), 0.85 * static_cast<double>(cost.requests))
        << "who asks again before the answer is whole hangs up; and the last ones are under way";
    EXPECT_GT(cost.cpu_seconds, 0);
    auto again = run_population(shape, 1, [](double) {});
    EXPECT_EQ(again.frames, cost.frames);
    EXPECT_EQ(again.frame_bytes, cost.frame_bytes);
}

TEST(GroupCosts, SyncGrowsWithTheGroup) {
    auto few = measure_group(3, 1, 10s, 1), more = measure_group(9, 1, 10s, 1);
    EXPECT_GT(few.sync_bytes_a_second, 0);
    EXPECT_GT(more.sync_bytes_a_second, 2 * few.sync_bytes_a_second);
}

TEST(ScaleExperiment, RefusesWhatCannotBe) {
    EXPECT_THROW((void)run_experiment(*make_scale_experiment(), "--part moon"), CLI::ParseError);
    auto ran = run_experiment(*make_scale_experiment(), "--part simulator --nodes 40 --minutes 1");
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_NE(ran->summary.find("\"paths_up\": 160"), std::string::npos);
}

}  // namespace
}  // namespace planetserve::eval
