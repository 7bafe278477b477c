#include "base/words.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(Words, CountWithTheirNoun) {
    EXPECT_EQ(counted(0, "node", "nodes"), "0 nodes");
    EXPECT_EQ(counted(1, "thing is wrong", "things are wrong"), "1 thing is wrong");
    EXPECT_EQ(counted(2, "thing is wrong", "things are wrong"), "2 things are wrong");
}

TEST(Words, TextsOfStrangersAreMadePrintable) {
    EXPECT_EQ(printable("plain text ~"), "plain text ~");
    EXPECT_EQ(printable("\x1b[2Ja\nb\x7f\xc2\x9b"), "?[2Ja?b???");
    EXPECT_TRUE(is_printable(std::string_view("")));
    EXPECT_FALSE(is_printable(std::string_view("a\tb")));
}

}  // namespace
}  // namespace planetserve
