#include "consensus/commit_json.h"

#include <gtest/gtest.h>

#include <fstream>

#include "base/random.h"
#include "lightclient/light_block_fixture.h"

namespace planetserve::consensus {
namespace {

TEST(CommitJson, IsReadAsCometbftWroteIt) {
    std::ifstream stream(PLANETSERVE_SOURCE_DIR "/tests/vectors/lightclient/commit_at_height_10.json");
    std::string text((std::istreambuf_iterator<char>(stream)), {});
    auto json = boost::json::parse(text).at("result");
    SeededRandom random(1);
    auto validators = lightclient::Committee::make(random, 1).set();
    auto block = light_block_from_json(json, validators);
    ASSERT_TRUE(block) << block.error().message;
    EXPECT_EQ(block->header.height, 10);
    // The validators voted for the hash over every field.
    EXPECT_EQ(to_bytes(ByteView(lightclient::hash(block->header))), block->commit.block_id.hash);
    EXPECT_EQ(block->commit, lightclient::commit_from_json(json.at("signed_header").at("commit")));
    // A member that is missing or of another kind is refused.
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

}  // namespace
}  // namespace planetserve::consensus
