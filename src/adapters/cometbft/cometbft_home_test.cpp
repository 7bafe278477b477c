#include "adapters/cometbft/cometbft_home.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <boost/json.hpp>
#include <fstream>

#include "base/random.h"
#include "crypto/base64.h"

namespace planetserve::adapters {
namespace {

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
    auto json = boost::json::parse(cometbft_genesis(genesis));
    EXPECT_EQ(json.at("genesis_time"), "2023-11-14T22:13:20.007Z");
    EXPECT_EQ(std::string(json.at("chain_id").as_string()), genesis.consensus_chain_id());
    ASSERT_EQ(json.at("validators").as_array().size(), 3u);
    EXPECT_EQ(json.at("validators").at(1).at("power"), "6");
    EXPECT_EQ(std::string(json.at("validators").at(1).at("pub_key").at("value").as_string()),
              crypto::to_base64(identities[1].id().bytes()));
    auto key = boost::json::parse(cometbft_validator_key(identities[1]));
    EXPECT_EQ(key.at("address"), json.at("validators").at(1).at("address"));
    auto secret = crypto::from_base64(std::string(key.at("priv_key").at("value").as_string()));
    ASSERT_TRUE(secret && secret->size() == 64);
    EXPECT_EQ(to_bytes(ByteView(*secret).subspan(32)), to_bytes(identities[1].id().bytes()));

    std::string pattern = (std::filesystem::temp_directory_path() / "planetserve-home-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    CometbftHome home{pattern, "/a.sock", "/r.sock", {"0.0.0.0", 26'001}};
    ASSERT_TRUE(prepare_cometbft_home(genesis, identities[1], home));
    std::string config = cometbft_config(genesis, identities[1].id(), home);
    EXPECT_NE(config.find("moniker = \"v\\\"1\""), std::string::npos) << config;
    EXPECT_NE(config.find(cometbft_node_id(identities[2].id()) + "@verifier.example.org:26002"), std::string::npos);
    EXPECT_EQ(config.find(cometbft_node_id(identities[1].id()) + "@"), std::string::npos) << "itself";
    EXPECT_EQ(config.find("tcp://127"), std::string::npos);
    // The record of votes is never touched, and its loss is noticed.
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
