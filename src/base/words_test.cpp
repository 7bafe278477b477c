#include "base/words.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(Words, CountWithTheirNoun) {
    EXPECT_EQ(counted(0, "node", "nodes"), "0 nodes");
    EXPECT_EQ(counted(1, "thing is wrong", "things are wrong"), "1 thing is wrong");
    EXPECT_EQ(counted(2, "thing is wrong", "things are wrong"), "2 things are wrong");
}

}  // namespace
}  // namespace planetserve
