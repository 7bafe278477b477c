#include "base/words.h"

#include <gtest/gtest.h>

namespace planetserve {
namespace {

TEST(Words, CountWithTheirNoun) {
    EXPECT_EQ(counted(0, "node", "nodes"), "0 nodes");
    EXPECT_EQ(counted(1, "thing is wrong", "things are wrong"), "1 thing is wrong");
    EXPECT_EQ(counted(2, "thing is wrong", "things are wrong"), "2 things are wrong");
}

TEST(Words, AnswersDoNotMoveTheCursor) {
    EXPECT_EQ(without_controls("Gr\xc3\xbc\xc3\x9f Gott,\n\tZ\xc3\xbcrich \xe2\x82\xac"),
              "Gr\xc3\xbc\xc3\x9f Gott,\n\tZ\xc3\xbcrich \xe2\x82\xac");
    EXPECT_EQ(without_controls("a\x1b]0;title\x07"
                               "b\x1b[2J\rc\x7f\xc2\x9b"
                               "31m\xc2\xa0"),
              "a]0;titleb[2Jc31m\xc2\xa0");
}

TEST(Words, TextsOfStrangersAreMadePrintable) {
    EXPECT_EQ(printable("plain text ~"), "plain text ~");
    EXPECT_EQ(printable("\x1b[2Ja\nb\x7f\xc2\x9b"), "?[2Ja?b???");
    EXPECT_TRUE(is_printable(std::string_view("")));
    EXPECT_FALSE(is_printable(std::string_view("a\tb")));
}

}  // namespace
}  // namespace planetserve
