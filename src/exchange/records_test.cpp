#include "exchange/records.h"

#include <gtest/gtest.h>

namespace planetserve::exchange {
namespace {

class RecordsTest : public testing::Test {
protected:
    static Source source(std::uint8_t number) { return Source{{number}}; }
    Bytes record(std::size_t size) {
        Bytes bytes(size);
        random_.fill(bytes);
        return bytes;
    }
    static Bytes changed(Bytes clove) {
        clove.back() ^= 1;
        return clove;
    }

    SeededRandom random_{5};
    crypto::SymmetricKey key_;
    RecordSender sender_{RecordKind::reply, key_, {4, 3}};
};

TEST(Padding, HasFewClasses) {
    std::set<std::size_t> classes;
    for (std::size_t size = 0; size <= maximum_record; ++size) {
        std::size_t padded = padded_size(size);
        EXPECT_GE(padded, size);
        EXPECT_LE(padded, maximum_record);
        EXPECT_LT(padded, size + 1024);
        classes.insert(padded);
    }
    EXPECT_EQ(classes.size(), 17u);  // 512, and each KiB
}

TEST_F(RecordsTest, ComeBackPaddedAndInOrder) {
    RecordReceiver receiver(RecordKind::reply, key_);
    receiver.expect({4, 3});
    std::vector<Bytes> records{record(0), record(600), record(maximum_record)};
    std::vector<std::vector<Bytes>> cloves;
    for (const Bytes& each : records) cloves.push_back(sender_.add(each, random_));
    std::vector<Bytes> got;
    for (std::size_t at : {2u, 0u, 1u})
        for (std::uint8_t i = 0; i < 3; ++i) {
            auto progress = receiver.add(source(i), cloves[at][i]);
            ASSERT_TRUE(progress);
            EXPECT_EQ(progress->opened, i == 2);
            got.insert(got.end(), progress->records.begin(), progress->records.end());
        }
    ASSERT_EQ(got.size(), 3u);
    for (std::size_t at = 0; at < 3; ++at) {
        records[at].resize(padded_size(records[at].size()));
        EXPECT_EQ(got[at], records[at]);
    }
    EXPECT_EQ(receiver.held_bytes(), 0u);
}

TEST_F(RecordsTest, ASourceBringsOneCloveOfARecordAndMakesOneClaim) {
    RecordReceiver receiver(RecordKind::reply, key_);
    auto cloves = sender_.add(record(100), random_);
    RecordSender twin(RecordKind::reply, key_, {5, 3});
    auto other_claim = twin.add(record(100), random_);
    EXPECT_TRUE(receiver.add(source(0), changed(cloves[0])));
    EXPECT_FALSE(receiver.add(source(0), changed(cloves[1])));
    EXPECT_FALSE(receiver.add(source(0), cloves[1]));
    EXPECT_FALSE(receiver.add(source(0), other_claim[2], 5));
    EXPECT_TRUE(receiver.add(source(9), other_claim[0]));
    for (std::uint8_t i = 1; i < 3; ++i) EXPECT_TRUE(receiver.add(source(i), cloves[i]));
    auto last = receiver.add(source(3), cloves[3]);
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->opened);
    EXPECT_EQ(last->corrupt, (std::vector<Source>{source(0), source(9)}));
    EXPECT_EQ(receiver.held_bytes(), 0u);
}

TEST_F(RecordsTest, ASourceThatMayBringManyCannotShutOutTheTrueOnes) {
    RecordReceiver receiver(RecordKind::reply, key_);
    receiver.expect({4, 3});
    auto cloves = sender_.add(record(100), random_);
    for (const Bytes& clove : cloves) EXPECT_TRUE(receiver.add(source(0), changed(clove), 32));
    EXPECT_FALSE(receiver.add(source(0), cloves[0], 32));
    for (std::uint8_t i = 1; i < 3; ++i) EXPECT_TRUE(receiver.add(source(i), cloves[i]));
    auto last = receiver.add(source(3), cloves[3]);
    ASSERT_TRUE(last);
    EXPECT_TRUE(last->opened);
    EXPECT_EQ(last->corrupt, std::vector<Source>(4, source(0)));
}

TEST_F(RecordsTest, WhatOneSourceAndAllHoldIsBounded) {
    ReceiverLimits limits;
    limits.maximum_held = 20'000;
    limits.maximum_held_of_source = 8'000;
    RecordReceiver receiver(RecordKind::reply, key_, Order::as_complete, limits);
    receiver.expect({4, 3});
    std::vector<std::vector<Bytes>> cloves;
    for (int i = 0; i < 100; ++i) cloves.push_back(sender_.add(record(500), random_));
    std::size_t held = 0;
    for (const auto& each : cloves) held += receiver.add(source(0), each[0]) ? 1 : 0;
    EXPECT_EQ(receiver.held_bytes(), held * (cloves[0][0].size() + 256));
    EXPECT_LE(receiver.held_bytes(), 8'000u);
    EXPECT_GT(receiver.held_bytes(), 7'000u);
    for (std::uint8_t i = 1; i < 10; ++i)
        for (const auto& each : cloves) (void)receiver.add(source(i), each[0]);
    EXPECT_LE(receiver.held_bytes(), 20'000u);
    receiver.drop_held();
    EXPECT_EQ(receiver.held_bytes(), 0u);
    for (std::uint8_t i = 0; i < 3; ++i) EXPECT_TRUE(receiver.add(source(i), cloves[0][i]));
    EXPECT_EQ(receiver.held_bytes(), 0u);
}

}  // namespace
}  // namespace planetserve::exchange
