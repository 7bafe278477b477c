#include "base/requires.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(Requires, LetsWhatHoldsPass) { REQUIRES(1 + 1 == 2); }

TEST(RequiresDeathTest, EndsTheProcessAndSaysWhatWasRequired) {
    EXPECT_DEATH(REQUIRES(1 + 1 == 3), "requires 1 \\+ 1 == 3");
}

}  // namespace
}  // namespace planetserve
