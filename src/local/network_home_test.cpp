#include "local/network_home.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "base/files.h"

namespace planetserve::local {
namespace {

namespace fs = std::filesystem;

class NetworkHomeTest : public testing::Test {
protected:
    NetworkHomeTest() : path_(fs::temp_directory_path() / ("planetserve-home-" + std::to_string(getpid()))) {}
    ~NetworkHomeTest() override { fs::remove_all(path_); }

    fs::path path_;
};

TEST_F(NetworkHomeTest, KeepsWhatBelongsToTheNetwork) {
    const NetworkHome home(path_);
    EXPECT_FALSE(home.exists());
    auto none = home.load();
    ASSERT_FALSE(none);
    EXPECT_NE(none.error().message.find("there is no network in " + path_.string()), std::string::npos);
    ASSERT_TRUE(home.save({8400, {{"verifier-1", "verifier"}, {"user-1", "user"}}, 2}));
    EXPECT_TRUE(home.exists());
    auto loaded = home.load();
    ASSERT_TRUE(loaded);
    EXPECT_EQ(loaded->api_port, 8400);
    EXPECT_EQ(loaded->engine_threads, 2U);
    ASSERT_EQ(loaded->nodes.size(), 2U);
    EXPECT_EQ(loaded->nodes[1].name, "user-1");
    EXPECT_EQ(loaded->nodes[1].role, "user");
    EXPECT_FALSE(loaded->joined_as);
    EXPECT_EQ(home.config("user-1"), path_ / "nodes" / "user-1" / "config.yaml");
    const JoinedAs joined_as{"kitchens", "a-model", "home.example:7700", "me"};
    ASSERT_TRUE(home.save({8400, {{"user-1", "user"}}, 0, joined_as}));
    EXPECT_EQ(home.load()->joined_as, joined_as);
}

TEST_F(NetworkHomeTest, SaysThatItsFileIsDamaged) {
    ASSERT_TRUE(write_file(path_ / "network.json", "{"));
    auto loaded = NetworkHome(path_).load();
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().code, ErrorCode::malformed);
}

TEST(NetworkHomePath, FollowsTheEnvironment) {
    setenv("XDG_DATA_HOME", "/data", 1);
    unsetenv("PLANETSERVE_HOME");
    EXPECT_EQ(NetworkHome::default_path(), "/data/planetserve/network");
    setenv("PLANETSERVE_HOME", "/elsewhere", 1);
    EXPECT_EQ(NetworkHome::default_path(), "/elsewhere");
    unsetenv("PLANETSERVE_HOME");
}

}  // namespace
}  // namespace planetserve::local
