#include <gtest/gtest.h>

#include <set>

#include "eval/kit/experiment_fixture.h"
#include "eval/wide_area/wide_area_experiment.h"
#include "eval/wide_area/wide_overlay.h"

namespace planetserve::eval {
namespace {

TEST(Regions, AreAsFarFromEachOtherInBothDirections) {
    for (std::size_t one = 0; one < region_count; ++one)
        for (std::size_t other = 0; other < region_count; ++other) {
            EXPECT_EQ(region_round_trip(one, other), region_round_trip(other, one));
            if (one != other) {
                EXPECT_GE(region_round_trip(one, other), 5ms) << region_name(one) << " " << region_name(other);
                EXPECT_LE(region_round_trip(one, other), 340ms) << region_name(one) << " " << region_name(other);
            } else {
                EXPECT_EQ(region_round_trip(one, other), 2ms);
            }
        }
}

TEST(Regions, AreTheTables) {
    EXPECT_EQ(region_name(0), "East US");
    EXPECT_EQ(region_name(6), "West US");
    EXPECT_EQ(region_round_trip(0, 6), 73'500us);  // 73 and 74
    EXPECT_EQ(region_name(16), "Japan East");
    EXPECT_EQ(region_name(9), "Brazil South");
    EXPECT_EQ(region_round_trip(9, 16), 264'500us);  // 265 and 264
}

TEST(Regions, AnAreaHasEachOnce) {
    for (Area area : {Area::us, Area::world}) {
        auto regions = regions_of(area);
        EXPECT_EQ(std::set<std::size_t>(regions.begin(), regions.end()).size(), regions.size());
    }
    for (std::size_t region : regions_of(Area::us)) EXPECT_NE(region_name(region).find("US"), std::string_view::npos);
}

// All nodes 100 ms from each other, there and back: then everything is a number of round trips.
OverlayShape evenly_spread() {
    OverlayShape shape;
    shape.relays.assign(30, {0, 49ms});
    shape.models.assign(2, {0, 49ms});
    return shape;
}

TEST(WideOverlay, CountsRoundTrips) {
    WideOverlay overlay(evenly_spread(), 3);
    UserSample warm = overlay.visit({0, 49ms}, LinksUp::all);
    ASSERT_EQ(warm.paths.size(), 4U);
    for (const PathSample& path : warm.paths) {
        EXPECT_EQ(path.setup, 300ms);
        EXPECT_EQ(telescoping(path.links, true), 600ms);
    }
    EXPECT_EQ(warm.direct, 100ms);
    EXPECT_EQ(warm.later, 400ms) << "three relays and the model node, there and back";
    UserSample cold = overlay.visit({0, 49ms}, LinksUp::none);
    ASSERT_EQ(cold.paths.size(), 4U);
    for (const PathSample& path : cold.paths) {
        EXPECT_EQ(path.setup, 1200ms);
        EXPECT_EQ(telescoping(path.links, false), 1500ms);
    }
    EXPECT_EQ(cold.first, 700ms) << "the links from the proxies to the model node are new";
    EXPECT_EQ(cold.later, 400ms);
    UserSample newcomer = overlay.visit({0, 49ms}, LinksUp::between_relays, 7);
    ASSERT_EQ(newcomer.paths.size(), 4U);
    for (const PathSample& path : newcomer.paths) EXPECT_EQ(path.setup, 600ms) << "its own link is new";
    EXPECT_EQ(newcomer.first, 700ms);
    EXPECT_EQ(newcomer.later, 400ms);
}

TEST(WideAreaExperiment, FindsTheWorldSlowerThanTheStates) {
    auto ran = run_experiment(*make_wide_area_experiment(), "--users 12 --relays 60");
    ASSERT_TRUE(ran) << ran.error().message;
    auto value = [&](const std::string& key) {
        auto at = ran->summary.find("\"" + key + "\": ");
        EXPECT_NE(at, std::string::npos) << key;
        return std::stod(ran->summary.substr(at + key.size() + 4));
    };
    EXPECT_GT(value("world_up_setup_ms_p50"), 2 * value("us_up_setup_ms_p50"));
    EXPECT_GT(value("us_up_telescoping_ms_p50"), value("us_up_setup_ms_p50"));
    EXPECT_GT(value("us_new_first_token_ms_p50"), value("us_new_direct_ms_p50"));
    EXPECT_EQ(value("us_up_failed"), 0);
}

TEST(WideAreaExperiment, RefusesWhatCannotBe) {
    auto experiment = make_wide_area_experiment();
    EXPECT_THROW((void)run_experiment(*experiment, "--hops 9"), CLI::ParseError);
    EXPECT_THROW((void)run_experiment(*make_wide_area_experiment(), "--relays 3"), CLI::ParseError);
}

}  // namespace
}  // namespace planetserve::eval
