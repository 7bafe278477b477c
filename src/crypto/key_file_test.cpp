#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "crypto/identity.h"
#include "crypto/system_random.h"

namespace planetserve::crypto {
namespace {

class KeyFile : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "planetserve-keys-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        directory_ = pattern;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    std::filesystem::path directory_;
    SystemRandom random_;
};

TEST_F(KeyFile, IsMadeOnceAndReadAfterwards) {
    auto file = directory_ / "node" / "keys";
    auto made = load_or_create_keys(file, random_);
    ASSERT_TRUE(made) << made.error().message;
    struct stat info{};
    ASSERT_EQ(stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    auto read = load_or_create_keys(file, random_);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->identity.id(), made->identity.id());
    EXPECT_EQ(read->onion.public_key(), made->onion.public_key());
}

TEST_F(KeyFile, OthersMustNotReadIt) {
    auto file = directory_ / "keys";
    ASSERT_TRUE(load_or_create_keys(file, random_));
    chmod(file.c_str(), 0644);
    auto read = load_or_create_keys(file, random_);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::permission_denied);
    EXPECT_NE(read.error().message.find("chmod 600"), std::string::npos);
}

TEST_F(KeyFile, ABrokenFileIsRefusedAndKept) {
    auto file = directory_ / "keys";
    std::ofstream(file) << "not a key\n";
    chmod(file.c_str(), 0600);
    auto read = load_or_create_keys(file, random_);
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, ErrorCode::malformed);
    EXPECT_EQ(std::filesystem::file_size(file), 10u);
}

}  // namespace
}  // namespace planetserve::crypto
