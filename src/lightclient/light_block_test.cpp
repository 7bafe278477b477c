// The parser under hostile input.
#include <gtest/gtest.h>

#include "lightclient/light_block_fixture.h"
#include "tendermint/types/types.pb.h"

namespace planetserve::lightclient {
namespace {

class LightBlockTest : public testing::Test {
protected:
    // The parser's answer to the block's message after a change.
    std::string after(const std::function<void(tendermint::types::LightBlock&)>& change) {
        tendermint::types::LightBlock message;
        EXPECT_TRUE(message.ParseFromArray(bytes_.data(), static_cast<int>(bytes_.size())));
        change(message);
        auto parsed = parse_light_block(as_bytes(message.SerializeAsString()));
        return parsed ? "taken" : parsed.error().message;
    }

    SeededRandom random_{11};
    Committee committee_ = Committee::make(random_, 4);
    LightBlock block_ = BlockMaker{}.make(9, committee_, committee_);
    Bytes bytes_ = encode(block_);
};

TEST_F(LightBlockTest, ComesBackAsItWas) {
    block_.commit.signatures[1] = {};
    block_.commit.signatures[2].flag = BlockIdFlag::nil;
    auto parsed = parse_light_block(encode(block_));
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(*parsed, block_);
}

TEST_F(LightBlockTest, TheLargestFits) {
    Committee many = Committee::make(random_, ValidatorSet::maximum_size, ValidatorSet::maximum_power / 1000);
    BlockMaker maker;
    maker.chain_id = std::string(50, 'c');
    maker.genesis_time.seconds = Timestamp::latest_seconds - 10;
    LightBlock block = maker.make(9, many, many);
    block.header.height = block.commit.height = INT64_MAX;
    block.header.app_hash = Bytes(maximum_app_hash_size, 1);
    Bytes bytes = encode(block);
    EXPECT_LE(bytes.size(), maximum_light_block_size * 9 / 10) << "room for priorities";
    EXPECT_EQ(parse_light_block(bytes).value(), block);
}

TEST_F(LightBlockTest, IsRefusedBeyondItsLimits) {
    EXPECT_EQ(after([](auto&) {}), "taken");
    auto header = [](auto& block) { return block.mutable_signed_header()->mutable_header(); };
    auto commit = [](auto& block) { return block.mutable_signed_header()->mutable_commit(); };
    EXPECT_NE(after([&](auto& b) { header(b)->set_height(0); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->set_height(-1); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->mutable_version()->set_block(12); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->set_chain_id(std::string(51, 'c')); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->clear_chain_id(); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->set_app_hash(std::string(65, 'a')); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->set_data_hash("short"); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->clear_validators_hash(); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->set_proposer_address("short"); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->mutable_time()->set_nanos(-1); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->mutable_time()->set_nanos(1'000'000'000); }), "taken");
    EXPECT_NE(after([&](auto& b) { header(b)->mutable_time()->set_seconds(INT64_MAX); }), "taken");
    EXPECT_NE(after([&](auto& b) { commit(b)->set_round(-1); }), "taken");
    EXPECT_NE(after([&](auto& b) { commit(b)->mutable_block_id()->set_hash("short"); }), "taken");
    EXPECT_NE(after([&](auto& b) {
                  commit(b)->mutable_signatures(0)->set_block_id_flag(static_cast<tendermint::types::BlockIDFlag>(4));
              }),
              "taken");
    EXPECT_NE(after([&](auto& b) { commit(b)->mutable_signatures(0)->set_signature(std::string(65, 's')); }), "taken");
    EXPECT_NE(after([&](auto& b) { commit(b)->mutable_signatures(0)->set_validator_address("short"); }), "taken");
    EXPECT_NE(after([&](auto& b) {
                  commit(b)->mutable_signatures(0)->set_block_id_flag(tendermint::types::BLOCK_ID_FLAG_ABSENT);
              }),
              "taken");
    EXPECT_NE(after([&](auto& b) {
                  for (int i = 0; i < 1001; ++i) *commit(b)->add_signatures() = commit(b)->signatures(0);
              }),
              "taken");
    EXPECT_NE(after([](auto& b) { b.clear_validator_set(); }), "taken");
    EXPECT_NE(after([](auto& b) { b.clear_signed_header(); }), "taken");
    EXPECT_NE(after([](auto& b) { b.mutable_validator_set()->mutable_validators(0)->set_voting_power(-5); }), "taken");
    EXPECT_NE(after([](auto& b) { b.mutable_validator_set()->mutable_validators(0)->mutable_address()->at(0) ^= 1; }),
              "taken");
    EXPECT_NE(after([](auto& b) {
                  auto* key = b.mutable_validator_set()->mutable_validators(0)->mutable_pub_key();
                  std::string bytes = key->ed25519();
                  key->set_secp256k1(bytes);
              }),
              "taken");
}

TEST_F(LightBlockTest, EveryPrefixAndOversizeIsRefused) {
    for (std::size_t size = 0; size < bytes_.size(); ++size)
        EXPECT_FALSE(parse_light_block(ByteView(bytes_).first(size))) << size;
    Bytes large = bytes_;
    large.resize(maximum_light_block_size + 1);
    EXPECT_FALSE(parse_light_block(large));
}

}  // namespace
}  // namespace planetserve::lightclient
