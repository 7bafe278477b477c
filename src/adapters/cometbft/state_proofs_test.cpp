#include "adapters/cometbft/state_proofs.h"

#include <gtest/gtest.h>

#include <fstream>

#include "adapters/cometbft/base64.h"
#include "adapters/cometbft/cometbft_home.h"
#include "adapters/cometbft/commit_json.h"
#include "committee/committee_fixture.h"
#include "lightclient/light_block_fixture.h"

namespace planetserve::adapters {
namespace {

class StateProofsTest : public testing::Test {
protected:
    StateProofsTest() : registry_(genesis_) {
        genesis_.parameters.update_interval_ms = 0;
        registry_ = committee::Registry(genesis_);
    }
    // A block that registers so many members anew.
    void apply(std::size_t members, bool large = false) {
        registry_.begin_block(registry_.height() + 1, UnixTime{2'000'000 + registry_.height()});
        for (std::size_t i = 0; i < members; ++i) {
            auto member = large ? committee::make_large_member(random_) : committee::make_member(random_);
            ASSERT_TRUE(registry_.apply(
                committee::make_register(member.descriptor, genesis_.network(), 2'000'000, member.identity)));
        }
        registry_.commit();
    }
    lightclient::LightBlock block(std::int64_t height) const {
        auto made = maker_.make(height, validators_, validators_);
        made.header.app_hash = to_bytes(ByteView(registry_.app_hash()));
        return made;
    }

    SeededRandom random_{5};
    committee::Genesis genesis_{"test", UnixTime{1}, {}, {}};
    committee::Registry registry_;
    lightclient::Committee validators_ = lightclient::Committee::make(random_, 4);
    lightclient::BlockMaker maker_;
    StateProofs proofs_;
};

TEST_F(StateProofsTest, TheNextBlocksHeaderProvesAState) {
    apply(2);
    auto second = block(2);
    proofs_.on_decided(2, registry_, Time{});
    EXPECT_FALSE(proofs_.header());
    Bytes state = registry_.serialise();
    apply(1);  // the registry goes on before the header comes
    proofs_.on_block(second);
    ASSERT_TRUE(proofs_.header());
    EXPECT_EQ(proofs_.header()->height, 2);
    EXPECT_EQ(proofs_.state(), state);
    EXPECT_EQ(committee::parse_state(state)->app_hash, proofs_.header()->app_hash);
    // At rest, later headers prove the same state anew; earlier ones have no effect.
    auto third = block(3);
    proofs_.on_decided(3, registry_, Time{});
    proofs_.on_block(third);
    EXPECT_EQ(proofs_.header()->height, 3);
    proofs_.on_block(block(4));
    EXPECT_EQ(proofs_.header()->height, 4);
    EXPECT_EQ(proofs_.state(), registry_.serialise());
    proofs_.on_block(second);
    EXPECT_EQ(proofs_.header()->height, 4);
}

TEST_F(StateProofsTest, AHeaderOfAnotherStateProvesNothing) {
    apply(1);
    proofs_.on_decided(2, registry_, Time{});
    auto other = block(2);
    other.header.app_hash[0] ^= 1;
    proofs_.on_block(other);
    EXPECT_FALSE(proofs_.header());
    proofs_.on_block(block(7));
    EXPECT_FALSE(proofs_.header()) << "nobody said that block 7 proves this state";
    proofs_.on_block(block(2));
    EXPECT_TRUE(proofs_.header());
}

TEST_F(StateProofsTest, WhenHeadersDoNotComeOnlyTheNewestStatesWait) {
    std::vector<lightclient::LightBlock> blocks;
    for (std::int64_t height = 2; height < 12; ++height) {
        apply(1);
        blocks.push_back(block(height));
        proofs_.on_decided(height, registry_, Time{});
    }
    proofs_.on_block(blocks[0]);
    EXPECT_FALSE(proofs_.header()) << "given up";
    proofs_.on_block(blocks[9]);
    EXPECT_EQ(proofs_.header()->height, 11);
}

TEST_F(StateProofsTest, ALargeStateIsTakenOnceASecond) {
    apply(80, true);
    proofs_.on_decided(2, registry_, Time{});
    proofs_.on_block(block(2));
    ASSERT_TRUE(proofs_.header());
    apply(1);
    proofs_.on_decided(3, registry_, Time{500ms});
    proofs_.on_block(block(3));
    EXPECT_EQ(proofs_.header()->height, 2);
    proofs_.on_decided(4, registry_, Time{1s});
    proofs_.on_block(block(4));
    EXPECT_EQ(proofs_.header()->height, 4);
}

TEST(CommitJson, IsReadAsCometbftWroteIt) {
    std::ifstream stream(PLANETSERVE_SOURCE_DIR "/tests/vectors/lightclient/commit_at_height_10.json");
    std::string text((std::istreambuf_iterator<char>(stream)), {});
    auto json = boost::json::parse(text).at("result");
    SeededRandom random(1);
    auto validators = lightclient::Committee::make(random, 1).set();
    auto block = light_block_from_json(json, validators);
    ASSERT_TRUE(block) << block.error().message;
    EXPECT_EQ(block->header.height, 10);
    // The hash over every field is what the validators voted for.
    EXPECT_EQ(to_bytes(ByteView(lightclient::hash(block->header))), block->commit.block_id.hash);
    EXPECT_EQ(block->commit, lightclient::commit_from_json(json.at("signed_header").at("commit")));
    // Nothing that is missing or of another kind gets through, or does harm.
    int refused = 0;
    for (const char* pointer :
         {"/signed_header/header/height", "/signed_header/header/time", "/signed_header/header/app_hash",
          "/signed_header/header/last_block_id/parts/total", "/signed_header/commit/signatures",
          "/signed_header/commit/signatures/0/signature", "/signed_header/commit/signatures/0/timestamp",
          "/signed_header/commit/signatures/0/block_id_flag", "/signed_header/commit/signatures/0/validator_address"}) {
        for (const boost::json::value& wrong : {boost::json::value(nullptr), boost::json::value("x"),
                                                boost::json::value(-7), boost::json::value(boost::json::object{})}) {
            auto changed = json;
            boost::system::error_code error;
            *changed.find_pointer(pointer, error) = wrong;
            refused += light_block_from_json(changed, validators) ? 0 : 1;
        }
    }
    EXPECT_GE(refused, 9 * 4 - 2) << "of which two are numbers as good as any";
    EXPECT_FALSE(light_block_from_json(boost::json::object{}, validators));
}

TEST(Base64, HasOneWayToWriteEachString) {
    // RFC 4648, section 10.
    const std::pair<std::string_view, std::string_view> vectors[] = {
        {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}};
    for (const auto& [plain, encoded] : vectors) {
        EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
        EXPECT_EQ(from_base64(encoded), to_bytes(plain));
    }
    for (std::string_view wrong : {"Zg=", "Zg", "Zh==", "Z===", "====", "Zm9!", "Zg==Zg=="})
        EXPECT_FALSE(from_base64(wrong)) << wrong;
}

TEST(CometbftHome, FollowsFromTheGenesisAndTheKey) {
    SeededRandom random(9);
    std::vector<crypto::Identity> identities;
    committee::Genesis genesis{"test", UnixTime{1'700'000'000'007}, {}, {}};
    for (std::uint16_t i = 0; i < 3; ++i) {
        identities.push_back(crypto::Identity::generate(random));
        genesis.validators.push_back({"v\"" + std::to_string(i),
                                      identities.back().id(),
                                      5u + i,
                                      {"verifier.example.org", static_cast<std::uint16_t>(7000 + i)},
                                      Endpoint{"verifier.example.org", static_cast<std::uint16_t>(26'000 + i)}});
    }
    auto json = boost::json::parse(engine_genesis(genesis));
    EXPECT_EQ(json.at("genesis_time"), "2023-11-14T22:13:20.007Z");
    EXPECT_EQ(std::string(json.at("chain_id").as_string()), genesis.consensus_chain_id());
    ASSERT_EQ(json.at("validators").as_array().size(), 3u);
    EXPECT_EQ(json.at("validators").at(1).at("power"), "6");
    EXPECT_EQ(std::string(json.at("validators").at(1).at("pub_key").at("value").as_string()),
              to_base64(identities[1].id().bytes()));
    auto key = boost::json::parse(engine_validator_key(identities[1]));
    EXPECT_EQ(key.at("address"), json.at("validators").at(1).at("address"));
    auto secret = from_base64(std::string(key.at("priv_key").at("value").as_string()));
    ASSERT_TRUE(secret && secret->size() == 64);
    EXPECT_EQ(to_bytes(ByteView(*secret).subspan(32)), to_bytes(identities[1].id().bytes()));

    std::string pattern = (std::filesystem::temp_directory_path() / "planetserve-home-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    CometbftHome home{pattern, "/a.sock", "/r.sock", {"0.0.0.0", 26'001}};
    ASSERT_TRUE(prepare_cometbft_home(genesis, identities[1], home));
    std::string config = engine_config(genesis, identities[1].id(), home);
    EXPECT_NE(config.find("moniker = \"v\\\"1\""), std::string::npos) << config;
    EXPECT_NE(config.find(engine_node_id(identities[2].id()) + "@verifier.example.org:26002"), std::string::npos);
    EXPECT_EQ(config.find(engine_node_id(identities[1].id()) + "@"), std::string::npos) << "itself";
    EXPECT_EQ(config.find("tcp://127"), std::string::npos);
    // What was voted for is never touched, and its loss is noticed.
    auto votes = std::filesystem::path(pattern) / "data" / "priv_validator_state.json";
    {
        std::ofstream(votes) << "voted";
    }
    ASSERT_TRUE(prepare_cometbft_home(genesis, identities[1], home));
    std::ifstream stream(votes);
    std::string kept;
    stream >> kept;
    EXPECT_EQ(kept, "voted");
    std::filesystem::rename(votes, std::filesystem::path(pattern) / "data" / "blockstore.db");
    auto refused = prepare_cometbft_home(genesis, identities[1], home);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("vote twice"), std::string::npos);
    EXPECT_FALSE(std::filesystem::exists(votes));
    std::filesystem::remove_all(pattern);
}

}  // namespace
}  // namespace planetserve::adapters
