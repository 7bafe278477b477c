#include "node/forward_record.h"

#include <gtest/gtest.h>

namespace planetserve::node {
namespace {

using exchange::ForwardOutcome;

class ForwardRecordTest : public testing::Test {
protected:
    static crypto::Digest request(int number) { return crypto::sha256(as_bytes(std::to_string(number))); }
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
    for (int i = 0; i < sent; ++i) record_.on_outcome(peer_, ForwardOutcome::undelivered, now_);
    EXPECT_TRUE(shunned());
    now_ += 2min;
    EXPECT_TRUE(shunned());
    now_ += 20min;
    EXPECT_FALSE(shunned()) << "it may have recovered";
}

TEST_F(ForwardRecordTest, APeerThatDeliversMayGetMore) {
    for (int round = 0; round < 4; ++round) {
        for (int i = 0; i < 8; ++i) record_.on_forwarded(request(i), peer_, now_);
        for (int i = 0; i < 8; ++i) record_.on_outcome(peer_, ForwardOutcome::quiet, now_);
    }
    for (int i = 0; i < 100; ++i) record_.on_forwarded(request(i), peer_, now_);
    EXPECT_FALSE(shunned());
}

TEST_F(ForwardRecordTest, AUserThatComesBackCountsAgainstThePeer) {
    record_.on_forwarded(request(1), peer_, now_);
    record_.on_outcome(peer_, ForwardOutcome::quiet, now_ + 8s);
    EXPECT_FALSE(record_.on_return(request(2), now_ + 20s)) << "that was not forwarded";
    for (int i = 0; i < 3; ++i) {
        record_.on_forwarded(request(1), peer_, now_ + 20s);
        EXPECT_TRUE(record_.on_return(request(1), now_ + 40s));
        EXPECT_FALSE(record_.on_return(request(1), now_ + 40s)) << "once";
    }
    now_ += 40s;
    EXPECT_TRUE(shunned());
}

TEST_F(ForwardRecordTest, AUserThatHangsUpSaysNothingOfThePeer) {
    for (int i = 0; i < 100; ++i) {
        record_.on_forwarded(request(i), peer_, now_);
        record_.on_outcome(peer_, ForwardOutcome::cancelled, now_);
    }
    EXPECT_FALSE(shunned());
}

TEST_F(ForwardRecordTest, ForgetsWhatItForwardedLongAgo) {
    ForwardRecord record({.maximum_remembered = 2});
    for (int i = 0; i < 3; ++i) record.on_forwarded(request(i), peer_, now_);
    EXPECT_FALSE(record.on_return(request(0), now_));
    EXPECT_TRUE(record.on_return(request(2), now_));
    EXPECT_FALSE(record.on_return(request(1), now_ + 5min));
}

}  // namespace
}  // namespace planetserve::node
