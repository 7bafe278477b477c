#include <gtest/gtest.h>

#include "eval/anonymity/anonymity.h"
#include "eval/anonymity/anonymity_experiment.h"
#include "eval/kit/experiment_fixture.h"

namespace planetserve::eval {
namespace {

TEST(Anonymity, IsThePapers) {
    struct {
        double f, planetserve, garlic_cast, onion;
    } expected[] = {{0.001, 0.9993572153, 0.997399016, 0.9990559614},
                    {0.1, 0.9290045176, 0.8478149049, 0.9114337199},
                    {0.5, 0.5962546735, 0.5801747056, 0.5314077303}};
    for (const auto& row : expected) {
        EXPECT_NEAR(anonymity_per_path({}, row.f), row.planetserve, 1e-9);
        EXPECT_NEAR(anonymity_across_paths({}, row.f), row.garlic_cast, 1e-9);
        EXPECT_NEAR(anonymity_per_path({10'000, 1, 5}, row.f), row.onion, 1e-9);
    }
}

TEST(Anonymity, EndsAreWholeAndNothing) {
    EXPECT_DOUBLE_EQ(anonymity_per_path({}, 0), 1);
    EXPECT_DOUBLE_EQ(anonymity_across_paths({}, 0), 1);
    EXPECT_DOUBLE_EQ(anonymity_per_path({}, 1), 0);
    EXPECT_DOUBLE_EQ(anonymity_across_paths({}, 1), 0);
    EXPECT_EQ(overfull_probability({}, 0), 0);
    EXPECT_NEAR(overfull_probability({}, 0.5), 0.0106, 1e-4);
}

TEST(AnonymityExperiment, WritesTheColumnsOfThePaper) {
    auto ran = run_experiment(*make_anonymity_experiment(), "--f 0.1,0.5 --onion-L 5");
    ASSERT_TRUE(ran) << ran.error().message;
    EXPECT_TRUE(ran->file("anonymity.csv").starts_with("f,PlanetServe,Garlic Cast,Onion\n0.1,0.9290045"));
    EXPECT_TRUE(ran->summary.contains("\"planetserve_0.5\": 0.596254673"));
}

TEST(AnonymityExperiment, TellsWhatIsWrong) {
    EXPECT_THROW((void)run_experiment(*make_anonymity_experiment(), "--f none"), CLI::ParseError);
}

}  // namespace
}  // namespace planetserve::eval
