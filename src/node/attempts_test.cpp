#include "node/attempts.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "node/answer_stream.h"

namespace planetserve::node {
namespace {

TEST(Attempts, ARoundEndsAfterItsAttemptsAndTheNextExcludesNobody) {
    SeededRandom random(3);
    UserRequestOptions options;
    options.maximum_attempts = 2;
    options.maximum_rounds = 2;
    Attempts attempts(options);
    const auto first = random.id<NodeId>(), second = random.id<NodeId>();
    attempts.note_attempt(first);
    EXPECT_TRUE(attempts.may_try_another());
    attempts.note_attempt(second);
    EXPECT_FALSE(attempts.may_try_another());
    EXPECT_EQ(attempts.excluded(), (std::set<NodeId>{first, second}));
    ASSERT_TRUE(attempts.may_begin_round());
    attempts.begin_round();
    EXPECT_TRUE(attempts.excluded().empty());
    EXPECT_TRUE(attempts.may_try_another());
    EXPECT_FALSE(attempts.may_begin_round());
}

TEST(Attempts, AResumptionBeginsItsRoundsAnewButNotWithNodesThatFailed) {
    SeededRandom random(3);
    UserRequestOptions options;
    options.maximum_attempts = 1;
    options.maximum_resumptions = 1;
    Attempts attempts(options);
    const auto node = random.id<NodeId>();
    attempts.note_attempt(node);
    ASSERT_TRUE(attempts.may_resume());
    attempts.begin_resumption();
    EXPECT_TRUE(attempts.may_try_another());
    EXPECT_TRUE(attempts.excluded().contains(node));
    EXPECT_FALSE(attempts.may_resume());
}

TEST(AnswerStream, CountsAsConsumedWhatTheReaderConsumed) {
    AnswerStream answer;
    answer.note_received(100);
    EXPECT_EQ(answer.note_passed(100), 0u);
    EXPECT_EQ(answer.note_consumed(40), 40u);
    EXPECT_EQ(answer.note_consumed(60), 60u);
}

TEST(AnswerStream, CountsAsConsumedWhatTheReaderIsNotGiven) {
    AnswerStream answer;
    answer.note_received(100);
    EXPECT_EQ(answer.note_passed(0), 100u) << "a resumed answer repeats what the reader has";
    answer.note_received(100);
    EXPECT_EQ(answer.note_passed(30), 0u);
    EXPECT_EQ(answer.note_consumed(30), 100u) << "nothing waits for the reader now";
}

}  // namespace
}  // namespace planetserve::node
