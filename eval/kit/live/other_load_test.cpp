#include "eval/kit/live/other_load.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

namespace planetserve::eval {
namespace {

TEST(OtherLoad, IsBetweenNothingAndTheWholeMachine) {
    OtherLoad others({});
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_GE(others.cores(), 0);
    // Ticks are a hundredth of a second, so short spans are rough.
    EXPECT_LE(others.cores(), std::thread::hardware_concurrency() * 1.5);
}

}  // namespace
}  // namespace planetserve::eval
