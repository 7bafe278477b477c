#include "exchange/session_table.h"

#include <gtest/gtest.h>

namespace planetserve::exchange {
namespace {

class SessionTableTest : public testing::Test {
protected:
    Session* open(const NodeId& proxy) { return table_.open(random_.id<ExchangeId>(), {}, proxy, now_); }
    Lane lane() { return {random_.id<NodeId>(), random_.id<ReplyHandle>()}; }

    SeededRandom random_{5};
    ModelSideLimits limits_{.maximum_exchanges = 4, .maximum_exchanges_of_proxy = 3, .maximum_unverified_of_proxy = 2};
    ModelSideCounters counters_;
    SessionTable table_{limits_, counters_};
    Time now_{1h};
    NodeId proxy_ = random_.id<NodeId>();
    NodeId other_proxy_ = random_.id<NodeId>();
};

TEST_F(SessionTableTest, UnverifiedExchangesGiveWayTheOldestFirst) {
    const ExchangeId first = open(proxy_)->id;
    const ExchangeId second = open(proxy_)->id;
    ASSERT_NE(open(proxy_), nullptr);
    EXPECT_EQ(table_.find(first), nullptr);
    EXPECT_NE(table_.find(second), nullptr);
    EXPECT_EQ(counters_.evicted, 1u);
}

TEST_F(SessionTableTest, VerifiedExchangesNeverGiveWay) {
    for (int i = 0; i < 3; ++i) table_.note_verified(*open(proxy_));
    EXPECT_EQ(open(proxy_), nullptr) << "the proxy's share is used up";
    table_.note_verified(*open(other_proxy_));
    EXPECT_EQ(open(other_proxy_), nullptr) << "the table is full";
    EXPECT_EQ(table_.size(), 4u);
    EXPECT_EQ(counters_.evicted, 0u);
}

TEST_F(SessionTableTest, AHandleLeadsToItsExchangeUntilTheLaneIsReplacedOrTheExchangeEnds) {
    Session* session = open(proxy_);
    const ExchangeId id = session->id;
    const Lane before = lane(), after = lane();
    session->lanes.push_back({before});
    table_.index_lanes(*session);
    EXPECT_EQ(table_.find(before.handle), session);
    table_.replace_lane(*session, 0, after);
    EXPECT_EQ(table_.find(before.handle), nullptr);
    EXPECT_EQ(table_.find(after.handle), session);
    EXPECT_NE(table_.close(id, now_), nullptr);
    EXPECT_EQ(table_.find(after.handle), nullptr);
    EXPECT_EQ(table_.assembly_bytes(), 0u);
}

TEST_F(SessionTableTest, OnlyVerifiedExchangesAreRememberedAfterTheirEnd) {
    const ExchangeId unverified = open(proxy_)->id;
    Session* session = open(proxy_);
    const ExchangeId verified = session->id;
    table_.note_verified(*session);
    table_.close(unverified, now_);
    table_.close(verified, now_);
    EXPECT_FALSE(table_.closed(unverified));
    EXPECT_TRUE(table_.closed(verified));
    table_.forget_closed(now_ + limits_.linger);
    EXPECT_TRUE(table_.idle());
}

}  // namespace
}  // namespace planetserve::exchange
