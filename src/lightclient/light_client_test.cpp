#include "lightclient/light_client.h"

#include <gtest/gtest.h>

#include "lightclient/light_block_fixture.h"

namespace planetserve::lightclient {
namespace {

class LightClientTest : public testing::Test {
protected:
    LightClientTest() {
        // At each height a new validator replaces one of the seven.
        committees_.push_back(Committee::make(random_, 7));
        for (std::size_t height = 1; height <= 40; ++height) {
            Committee next = committees_.back();
            next.identities[height % 7] = crypto::Identity::generate(random_);
            committees_.push_back(std::move(next));
        }
    }
    LightBlock block(std::int64_t height, std::string_view text = {}) {
        auto at = static_cast<std::size_t>(height);
        return maker_.make(height, committees_[at - 1], committees_[at], text);
    }
    LightClient client() { return LightClient(maker_.chain_id, committees_[0].set(), options_); }
    std::string update(LightClient& client, const LightBlock& block) {
        auto checked = client.update(block, now_);
        return checked ? "taken" : std::string(to_string(checked.error().reason));
    }

    SeededRandom random_{31};
    std::vector<Committee> committees_;
    BlockMaker maker_;
    Options options_;
    Timestamp now_ = maker_.time(50);
};

TEST_F(LightClientTest, BeginsWithTheGenesisAndFollows) {
    LightClient client = this->client();
    EXPECT_FALSE(client.latest());
    EXPECT_FALSE(client.age(now_));
    for (std::int64_t height = 1; height <= 40; ++height) EXPECT_EQ(update(client, block(height)), "taken");
    EXPECT_EQ(client.latest()->header.height, 40);
    EXPECT_EQ(client.age(now_), 10s);
    EXPECT_EQ(update(client, block(40)), "taken") << "once more";
    EXPECT_EQ(update(client, block(39)), "stale");
}

// Five of seven are more than two thirds, so at most two may have changed.
TEST_F(LightClientTest, BeginsAtAnyHeightThatTheGenesisSigned) {
    for (auto [height, expected] :
         {std::pair(1, "taken"), {2, "taken"}, {3, "taken"}, {4, "not enough trust"}, {20, "not enough trust"}}) {
        LightClient client = this->client();
        EXPECT_EQ(update(client, block(height)), expected) << height;
    }
    // Strangers claim to be the first validators.
    LightClient client = this->client();
    Committee others = Committee::make(random_, 7);
    EXPECT_EQ(update(client, maker_.make(1, others, others)), "invalid");
    LightBlock other_chain = block(1);
    other_chain.header.chain_id = "other";
    sign_all(other_chain, committees_[0]);
    EXPECT_EQ(update(client, other_chain), "invalid");
}

TEST_F(LightClientTest, HalvingLeadsThroughChanges) {
    LightClient client = this->client();
    ASSERT_EQ(update(client, block(1)), "taken");
    int asked = 0;
    while (client.latest()->header.height < 40) {
        std::int64_t height = 40;
        while (update(client, block(height)) != "taken") {
            height = client.halfway(height);
            ASSERT_LT(++asked, 200);
        }
    }
    EXPECT_EQ(client.halfway(41), 41);
    EXPECT_EQ(client.halfway(INT64_MAX), 40 + (INT64_MAX - 40) / 2);
}

TEST_F(LightClientTest, AForkEndsTrust) {
    LightClient client = this->client();
    ASSERT_EQ(update(client, block(3)), "taken");
    LightBlock unsigned_other = block(3, "other");
    unsigned_other.commit = block(3).commit;
    EXPECT_EQ(update(client, unsigned_other), "invalid");
    LightBlock few = maker_.make(3, committees_[2], committees_[3], "other", 4);
    EXPECT_EQ(update(client, few), "invalid");
    EXPECT_FALSE(client.fork());
    EXPECT_EQ(update(client, block(3, "other")), "forked");
    ASSERT_TRUE(client.fork());
    EXPECT_EQ(client.fork()->first, block(3));
    EXPECT_EQ(client.fork()->second, block(3, "other"));
    EXPECT_EQ(client.latest()->header, block(3).header);
    EXPECT_EQ(update(client, block(4)), "forked") << "and stays so";
}

TEST_F(LightClientTest, AnExpiredClientBeginsAnewButNeverGoesBack) {
    LightClient client = this->client();
    ASSERT_EQ(update(client, block(3)), "taken");
    now_ = block(3).header.time + options_.trusting_period;
    EXPECT_EQ(update(client, block(4)), "expired");
    client.restart();
    EXPECT_FALSE(client.latest());
    EXPECT_EQ(update(client, block(2)), "stale");
    EXPECT_EQ(update(client, block(3)), "expired") << "nobody begins with what is too old";
    // The validators of the genesis sign another block 3, with a newer time.
    maker_.genesis_time = now_;
    EXPECT_EQ(update(client, maker_.make(3, committees_[0], committees_[0])), "forked");
    LightClient other = this->client();
    EXPECT_EQ(update(other, maker_.make(100, committees_[0], committees_[0], "", 5)), "from the future");
    now_ = now_ + 100s;
    EXPECT_EQ(update(other, maker_.make(100, committees_[0], committees_[0], "", 5)), "taken");
}

TEST_F(LightClientTest, KeepsItsBlock) {
    LightClient client = this->client();
    EXPECT_TRUE(client.keep().empty());
    ASSERT_EQ(update(client, block(1)), "taken");
    ASSERT_EQ(update(client, block(2)), "taken");
    ASSERT_EQ(update(client, block(5)), "taken");
    Bytes kept = client.keep();
    LightClient later = this->client();
    ASSERT_TRUE(later.adopt(kept));
    EXPECT_EQ(*later.latest(), *client.latest());
    EXPECT_EQ(update(later, block(6)), "taken");
    for (std::size_t i = 0; i < kept.size(); i += 7) {
        Bytes damaged = kept;
        damaged[i] ^= 0x10;
        LightClient third = this->client();
        auto adopted = third.adopt(damaged);
        if (!adopted) continue;
        EXPECT_EQ(third.latest()->header, client.latest()->header) << i;
    }
}

TEST_F(LightClientTest, OptionsAreChecked) {
    auto with = [&](Options options) { LightClient(maker_.chain_id, committees_[0].set(), options); };
    EXPECT_NO_THROW(with({{2, 3}}));
    EXPECT_THROW(with({{1, 4}}), std::invalid_argument);
    EXPECT_THROW(with({{4, 3}}), std::invalid_argument);
    EXPECT_THROW(with({{1, 0}}), std::invalid_argument);
    EXPECT_THROW(with({{1, 3}, 0s}), std::invalid_argument);
    EXPECT_THROW(LightClient("", committees_[0].set(), {}), std::invalid_argument);
}

}  // namespace
}  // namespace planetserve::lightclient
