#include "lightclient/verify.h"

#include <gtest/gtest.h>

#include "lightclient/light_block_fixture.h"

namespace planetserve::lightclient {
namespace {

class VerifyTest : public testing::Test {
protected:
    std::string verdict(const LightBlock& from, const LightBlock& block, std::optional<Timestamp> now = {}) {
        auto checked = verify({from.header, from.validators}, block, options_, now.value_or(block.header.time + 1s));
        return checked ? "verified" : std::string(to_string(checked.error().reason));
    }

    SeededRandom random_{21};
    Committee committee_ = Committee::make(random_, 4);
    BlockMaker maker_;
    LightBlock first_ = maker_.make(1, committee_, committee_);
    LightBlock second_ = maker_.make(2, committee_, committee_);
    Options options_;
};

TEST_F(VerifyTest, AdjacentAndSkipping) {
    EXPECT_EQ(verdict(first_, second_), "verified");
    EXPECT_EQ(verdict(first_, maker_.make(1000, committee_, committee_)), "verified");
    EXPECT_EQ(verdict(second_, first_), "stale");
    EXPECT_EQ(verdict(second_, second_), "stale");
}

TEST_F(VerifyTest, MoreThanTwoThirdsMustSign) {
    EXPECT_EQ(verdict(first_, maker_.make(2, committee_, committee_, "", 3)), "verified");
    EXPECT_EQ(verdict(first_, maker_.make(2, committee_, committee_, "", 2)), "invalid");
    // Exactly two thirds are not enough.
    Committee three = Committee::make(random_, 3);
    LightBlock named = maker_.make(1, committee_, three);
    EXPECT_EQ(verdict(named, maker_.make(2, three, three, "", 2)), "invalid");
    EXPECT_EQ(verdict(named, maker_.make(2, three, three, "", 3)), "verified");
}

// Three of nine validators that stay are a third, which is too few; four are enough.
TEST_F(VerifyTest, SkippingNeedsMoreThanTheTrustLevel) {
    Committee nine = Committee::make(random_, 9);
    LightBlock from = maker_.make(1, nine, nine);
    auto keep = [&](std::size_t count) {
        Committee later = Committee::make(random_, 9 - count);
        for (std::size_t i = 0; i < count; ++i) {
            later.identities.push_back(nine.identities[i]);
            later.powers.push_back(10);
        }
        return later;
    };
    Committee third = keep(3), more = keep(4);
    EXPECT_EQ(verdict(from, maker_.make(10, third, third)), "not enough trust");
    EXPECT_EQ(verdict(from, maker_.make(10, more, more)), "verified");
    options_.trust_level = {1, 2};
    EXPECT_EQ(verdict(from, maker_.make(10, more, more)), "not enough trust");
    // The next block needs no trust level; it must have the validators that the trusted block names.
    LightBlock named = maker_.make(1, nine, third);
    EXPECT_EQ(verdict(named, maker_.make(2, third, third)), "verified");
    EXPECT_EQ(verdict(named, maker_.make(2, more, more)), "invalid");
}

TEST_F(VerifyTest, TimesAreBounded) {
    EXPECT_EQ(verdict(first_, second_, first_.header.time + options_.trusting_period + -1ns), "verified");
    EXPECT_EQ(verdict(first_, second_, first_.header.time + options_.trusting_period), "expired");
    EXPECT_EQ(verdict(first_, second_, second_.header.time + -options_.maximum_clock_drift + 1ns), "verified");
    EXPECT_EQ(verdict(first_, second_, second_.header.time + -options_.maximum_clock_drift), "from the future");
    LightBlock earlier = second_;
    earlier.header.time = first_.header.time;
    sign_all(earlier, committee_);
    EXPECT_EQ(verdict(first_, earlier), "invalid");
}

TEST_F(VerifyTest, NothingCanBeChanged) {
    auto changed = [&](const std::function<void(LightBlock&)>& change) {
        LightBlock block = second_;
        change(block);
        return verdict(first_, block);
    };
    EXPECT_EQ(changed([](LightBlock&) {}), "verified");
    EXPECT_EQ(changed([](LightBlock& b) { b.header.app_hash[0] ^= 1; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.header.chain_id = "other"; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.header.time = b.header.time + 1ns; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.round = 1; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.block_id.parts = 2; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.block_id.parts_hash[5] ^= 1; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.signatures[0].time = b.header.time; }), "verified")
        << "that is what it was";
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.signatures[0].time = b.header.time + 1h; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.signatures[1].signature.value[0] ^= 1; }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { std::swap(b.commit.signatures[0], b.commit.signatures[1]); }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.signatures.pop_back(); }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) { b.commit.signatures.push_back(b.commit.signatures[0]); }), "invalid");
    EXPECT_EQ(changed([](LightBlock& b) {
                  b.commit.height = 3;
                  b.header.height = 3;
              }),
              "invalid");
    // One validator's vote in all places does not count for the others.
    EXPECT_EQ(changed([](LightBlock& b) {
                  for (auto& signature : b.commit.signatures) signature = b.commit.signatures[0];
              }),
              "invalid");
}

// Votes for no block do not count for the block, even if they are validly signed.
TEST_F(VerifyTest, OnlyVotesForTheBlockCount) {
    LightBlock block = second_;
    for (std::size_t i : {2u, 3u}) {
        auto& signature = block.commit.signatures[i];
        signature.flag = BlockIdFlag::nil;
        signature.signature = committee_.identity(block.validators.validators()[i].key)
                                  .sign_raw(sign_bytes(block.commit, i, block.header.chain_id));
    }
    EXPECT_EQ(verdict(first_, block), "invalid");
}

// What counts is power, not the number of validators.
TEST_F(VerifyTest, PowerCounts) {
    Committee weighted = Committee::make(random_, 4);
    weighted.powers = {97, 1, 1, 1};
    LightBlock from = maker_.make(1, weighted, weighted);
    EXPECT_EQ(verdict(from, maker_.make(5, weighted, weighted, "", 1)), "verified");
    LightBlock others = maker_.make(5, weighted, weighted);
    others.commit.signatures[0] = {};
    EXPECT_EQ(verdict(from, others), "not enough trust");
}

}  // namespace
}  // namespace planetserve::lightclient
