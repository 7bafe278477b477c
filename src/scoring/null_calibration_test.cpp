#include "scoring/null_calibration.h"

#include <gtest/gtest.h>

namespace planetserve::scoring {
namespace {

TEST(NullCalibration, HasTheKnownDistributions) {
    SeededRandom random(1);
    auto calibration = null_calibration(random);
    // Quantiles of |N(0, 1)| and of Kolmogorov's distribution.
    EXPECT_NEAR(calibration.p_value(Measure::entropy, 1.0), 0.317, 0.08);
    EXPECT_NEAR(calibration.p_value(Measure::entropy, 1.96), 0.05, 0.035);
    EXPECT_NEAR(calibration.p_value(Measure::rank, 0.828), 0.5, 0.09);
    EXPECT_NEAR(calibration.p_value(Measure::rank, 1.358), 0.05, 0.035);
    EXPECT_NEAR(calibration.p_value(Measure::margin, 0.008), 0.53, 0.02);
    EXPECT_LT(calibration.p_value(Measure::margin, 0.03), 0.004);
}

TEST(NullCalibration, LetsHonestNoiseThroughAndNoOtherModel) {
    SeededRandom random(2);
    auto calibration = null_calibration(random);
    Statistics noisy{
        .tokens = 128, .mismatches = 3, .margin = 0.008, .entropy_z = 0.4, .kolmogorov_smirnov = 0.8, .drawn = 128};
    EXPECT_GE(credit_of(noisy, calibration).value, 0.4);
    Statistics other = noisy;
    other.margin = 0.09;
    EXPECT_LT(credit_of(other, calibration).value, 0.4);
    Statistics replayed{.tokens = 128, .drawn = 128};
    EXPECT_EQ(credit_of(replayed, calibration).value, 1);
}

}  // namespace
}  // namespace planetserve::scoring
