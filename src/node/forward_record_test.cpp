#include "node/forward_record.h"

#include <gtest/gtest.h>

namespace planetserve::node {
namespace {

using exchange::ForwardOutcome;

class ForwardRecordTest : public testing::Test {
protected:
    static IdempotencyId request(int number) {
        IdempotencyId id;
        store_big_endian(MutableByteView(id.value), static_cast<std::uint32_t>(number));
        return id;
    }
    static NodeId via(int number) { return NodeId{{7, static_cast<std::uint8_t>(number)}}; }
    bool shunned() { return record_.shunned(now_).contains(peer_); }

    ForwardRecord record_;
    NodeId peer_{{1}};
    Time now_{1h};
};

TEST_F(ForwardRecordTest, APeerThatTakesRequestsAndIsSilentGetsFewAndThenNone) {
    int sent = 0;
    while (!shunned() && sent < 1000) record_.on_forwarded(request(sent++), peer_, now_);
    EXPECT_EQ(sent, 8) << "no more are sent before anything is known of these";
    now_ += 5s;
    for (int i = 0; i < sent; ++i) record_.on_outcome(peer_, via(i % 100), ForwardOutcome::undelivered, now_);
    EXPECT_TRUE(shunned());
    now_ += 2min;
    EXPECT_TRUE(shunned());
    now_ += 20min;
    EXPECT_FALSE(shunned()) << "it may have recovered";
}

TEST_F(ForwardRecordTest, APeerThatDeliversMayGetMore) {
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 8; ++i) record_.on_forwarded(request(i), peer_, now_);
        for (int i = 0; i < 8; ++i) record_.on_outcome(peer_, via(i % 100), ForwardOutcome::quiet, now_);
    }
    for (int i = 0; i < 100; ++i) record_.on_forwarded(request(i), peer_, now_);
    EXPECT_FALSE(shunned());
}

TEST_F(ForwardRecordTest, AUserThatComesBackCountsAgainstThePeer) {
    record_.on_forwarded(request(1), peer_, now_);
    record_.on_outcome(peer_, via(0), ForwardOutcome::quiet, now_ + 8s);
    EXPECT_FALSE(record_.on_return(request(2), via(2), now_ + 20s)) << "that was not forwarded";
    for (int i = 0; i < 3; ++i) {
        record_.on_forwarded(request(1), peer_, now_ + 20s);
        EXPECT_TRUE(record_.on_return(request(1), via(1), now_ + 40s));
        EXPECT_FALSE(record_.on_return(request(1), via(1), now_ + 40s)) << "once";
    }
    now_ += 40s;
    EXPECT_TRUE(shunned());
}

// On the code before, eleven such requests kept everything from a peer that delivers, for as long as it liked.
TEST_F(ForwardRecordTest, AUserThatSlandersOverItsFourPathsKeepsNothingFromAPeerThatDelivers) {
    int next = 0;
    for (int second = 0; second < 3600; ++second) {
        now_ += 1s;
        if (second % 8 == 0) {
            record_.on_forwarded(request(++next), peer_, now_);
            record_.on_outcome(peer_, via(50), ForwardOutcome::quiet, now_);
        }
        if (second < 120) continue;
        record_.on_forwarded(request(++next), peer_, now_);
        if (second % 2 == 0)
            record_.on_outcome(peer_, via(second % 4), ForwardOutcome::undelivered, now_);
        else
            record_.on_return(request(next), via(second % 4), now_);
        ASSERT_FALSE(shunned()) << second;
    }
}

// On the code before, their equal bodies were one request.
TEST_F(ForwardRecordTest, AnotherUsersRequestSaysNothingOfThePeer) {
    for (int i = 0; i < 8; ++i) {
        record_.on_forwarded(request(i), peer_, now_);
        record_.on_outcome(peer_, via(i), ForwardOutcome::quiet, now_);
        EXPECT_FALSE(record_.on_return(request(1000 + i), via(i), now_));
    }
    EXPECT_FALSE(shunned());
}

TEST_F(ForwardRecordTest, AUserThatHangsUpSaysNothingOfThePeer) {
    for (int i = 0; i < 100; ++i) {
        record_.on_forwarded(request(i), peer_, now_);
        record_.on_outcome(peer_, via(i % 100), ForwardOutcome::cancelled, now_);
    }
    EXPECT_FALSE(shunned());
}

TEST_F(ForwardRecordTest, ForgetsWhatItForwardedLongAgo) {
    ForwardRecord record({.maximum_remembered = 2});
    for (int i = 0; i < 3; ++i) record.on_forwarded(request(i), peer_, now_);
    EXPECT_FALSE(record.on_return(request(0), via(0), now_));
    EXPECT_TRUE(record.on_return(request(2), via(2), now_));
    EXPECT_FALSE(record.on_return(request(1), via(1), now_ + 5min));
}

}  // namespace
}  // namespace planetserve::node
