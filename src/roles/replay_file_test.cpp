#include "roles/replay_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"

namespace planetserve::roles {
namespace {

using Remembered = onion::RelayAdmission::Remembered;
constexpr UnixTime start{1'800'000'000'000};

class ReplayFileTest : public testing::Test {
protected:
    ReplayFileTest()
        : file_(std::filesystem::temp_directory_path() / ("planetserve-replay-" + std::to_string(getpid()))) {
        std::filesystem::remove(file_);
    }
    ~ReplayFileTest() override { std::filesystem::remove(file_); }

    static Remembered setup(std::uint8_t number, std::uint32_t minutes) {
        return {onion::expiry_minutes(start) + minutes, {number}};
    }

    std::filesystem::path file_;
};

TEST_F(ReplayFileTest, GivesBackWhatHasNotExpired) {
    {
        ReplayFile file(file_, 100);
        EXPECT_TRUE(file.load(start).empty());
        EXPECT_TRUE(file.add(setup(1, 5), start));
        EXPECT_TRUE(file.add(setup(2, 20), start));
    }
    ReplayFile again(file_, 100);
    EXPECT_EQ(again.load(start), (std::vector{setup(1, 5), setup(2, 20)}));
    EXPECT_TRUE(again.add(setup(3, 30), start));
    ReplayFile later(file_, 100);
    EXPECT_EQ(later.load(start + std::chrono::minutes(6)), (std::vector{setup(2, 20), setup(3, 30)}));
}

TEST_F(ReplayFileTest, ARecordThatWasCutOffCostsItselfOnly) {
    {
        ReplayFile file(file_, 100);
        file.load(start);
        EXPECT_TRUE(file.add(setup(1, 5), start));
        EXPECT_TRUE(file.add(setup(2, 5), start));
    }
    std::filesystem::resize_file(file_, 33);
    {
        ReplayFile file(file_, 100);
        EXPECT_EQ(file.load(start), std::vector{setup(1, 5)});
        EXPECT_TRUE(file.add(setup(3, 5), start));
    }
    ReplayFile again(file_, 100);
    EXPECT_EQ(again.load(start), (std::vector{setup(1, 5), setup(3, 5)}));
}

TEST_F(ReplayFileTest, ItsSizeIsBoundedWhileSetUpsExpire) {
    ReplayFile file(file_, 10);
    file.load(start);
    for (std::uint32_t minute = 0; minute < 60; ++minute)
        EXPECT_TRUE(
            file.add(setup(static_cast<std::uint8_t>(minute), minute + 3), start + std::chrono::minutes(minute)));
    EXPECT_LE(std::filesystem::file_size(file_), 10u * 20);
    EXPECT_EQ(file.load(start + std::chrono::minutes(60)), (std::vector{setup(57, 60), setup(58, 61), setup(59, 62)}));
}

TEST_F(ReplayFileTest, AFileThatCannotBeWrittenIsTold) {
    ReplayFile file("/proc/planetserve/replay_tags", 10);
    EXPECT_TRUE(file.load(start).empty());
    EXPECT_EQ(file.add(setup(1, 5), start).error().code, ErrorCode::io);
}

}  // namespace
}  // namespace planetserve::roles
