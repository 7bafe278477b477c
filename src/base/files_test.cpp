#include "base/files.h"

#include <gtest/gtest.h>
#include <unistd.h>

namespace planetserve {
namespace {

namespace fs = std::filesystem;

class Files : public testing::Test {
protected:
    Files() : folder_(fs::temp_directory_path() / ("planetserve-files-" + std::to_string(getpid()))) {}
    ~Files() override { fs::remove_all(folder_); }

    fs::path folder_;
};

TEST_F(Files, WritesIntoANewFolderAndReadsBack) {
    const fs::path file = folder_ / "a" / "b";
    ASSERT_TRUE(write_file(file, "first"));
    ASSERT_TRUE(write_file(file, std::string("a\0b", 3)));
    EXPECT_EQ(*read_file(file), std::string("a\0b", 3));
    EXPECT_FALSE(fs::exists(file.string() + ".new"));
}

TEST_F(Files, RefusesWhatIsTooLarge) {
    ASSERT_TRUE(write_file(folder_ / "file", "12345"));
    EXPECT_EQ(*read_file(folder_ / "file", 5), "12345");
    auto refused = read_file(folder_ / "file", 4);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
}

TEST_F(Files, SaysWhatCannotBeReadOrWritten) {
    auto missing = read_file(folder_ / "none");
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, ErrorCode::io);
    EXPECT_EQ(missing.error().message, "cannot read " + (folder_ / "none").string() + ": No such file or directory");
    ASSERT_TRUE(write_file(folder_ / "file", ""));
    auto below = write_file(folder_ / "file" / "below", "");
    ASSERT_FALSE(below);
    EXPECT_EQ(below.error().message, "cannot write " + (folder_ / "file" / "below").string() + ": Not a directory");
}

TEST_F(Files, ASecretIsItsOwnersAlone) {
    auto mode = [](const fs::path& file) { return fs::status(file).permissions() & fs::perms::mask; };
    const fs::path file = folder_ / "secret";
    // An attempt that was cut, under another mask.
    ASSERT_TRUE(write_file(folder_ / "secret.new", "older and longer"));
    fs::permissions(folder_ / "secret.new", fs::perms(0666));
    ASSERT_TRUE(write_private_file(file, "secret"));
    EXPECT_EQ(*read_file(file), "secret");
    EXPECT_EQ(mode(file), fs::perms(0600));
    EXPECT_FALSE(fs::exists(file.string() + ".new"));
    ASSERT_TRUE(write_private_file(file, "another"));
    EXPECT_EQ(*read_file(file), "another");
    auto below = write_private_file(file / "below", "");
    ASSERT_FALSE(below);
    EXPECT_EQ(below.error().message, "cannot write " + (file / "below").string() + ": Not a directory");
}

// What a full disk gives: the error of the system's write, not of the open.
TEST_F(Files, AFullDiskIsNamedAsSuch) {
    ASSERT_TRUE(write_file(folder_ / "other", ""));
    fs::create_symlink("/dev/full", folder_ / "file.new");
    auto full = write_file(folder_ / "file", std::string(1 << 16, 'x'));
    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().message, "cannot write " + (folder_ / "file").string() + ": No space left on device");
}

}  // namespace
}  // namespace planetserve
