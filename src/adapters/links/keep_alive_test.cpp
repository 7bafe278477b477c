#include "adapters/links/keep_alive.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

using Due = KeepAlive::Due;

class KeepAliveTest : public testing::Test {
protected:
    KeepAliveTest() { keep_alive_.start(start_); }
    Due due_at(Duration after) {
        keep_alive_.tick(start_ + after);
        return keep_alive_.due(options_);
    }

    const Time start_{1000s};
    LinkOptions options_;
    KeepAlive keep_alive_;
};

TEST_F(KeepAliveTest, PingsAfterSilenceOnceAndGivesUpWithoutAnAnswer) {
    EXPECT_EQ(due_at(14s), Due::nothing);
    EXPECT_EQ(due_at(15s), Due::ping);
    EXPECT_EQ(due_at(24s), Due::nothing) << "the ping is under way";
    EXPECT_EQ(due_at(25s), Due::silent);
}

TEST_F(KeepAliveTest, AnyFrameAnswersAPing) {
    EXPECT_EQ(due_at(15s), Due::ping);
    keep_alive_.on_heard();
    keep_alive_.on_frame();
    EXPECT_EQ(due_at(29s), Due::nothing);
    EXPECT_EQ(due_at(30s), Due::ping);
}

TEST_F(KeepAliveTest, ClosesALinkThatIsNotUsedThoughItIsHeard) {
    for (auto after = 1s; after < 300s; ++after) {
        keep_alive_.on_heard();
        keep_alive_.on_frame();
        ASSERT_EQ(due_at(after), Due::nothing);
    }
    EXPECT_EQ(due_at(300s), Due::idle);
    keep_alive_.on_used();
    EXPECT_EQ(keep_alive_.used_at(), start_ + 300s);
}

TEST_F(KeepAliveTest, SaysWhetherASecondWasQuiet) {
    EXPECT_FALSE(keep_alive_.tick(start_ + 1s).quiet) << "it began then";
    EXPECT_TRUE(keep_alive_.tick(start_ + 2s).quiet);
    keep_alive_.on_heard();
    auto tick = keep_alive_.tick(start_ + 4s);
    EXPECT_FALSE(tick.quiet);
    EXPECT_EQ(tick.passed, 2s);
    EXPECT_EQ(keep_alive_.age(), 4s);
}

}  // namespace
}  // namespace planetserve::adapters
