#include "roles/run_file.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"

namespace planetserve::roles {
namespace {

namespace fs = std::filesystem;

class RunFileTest : public testing::Test {
protected:
    RunFileTest() : home_(fs::temp_directory_path() / ("planetserve-run-" + std::to_string(getpid()))) {}
    ~RunFileTest() override { fs::remove_all(home_); }

    fs::path home_;
};

TEST_F(RunFileTest, TellsOfTheRunningProcess) {
    EXPECT_FALSE(running_node(home_));
    ASSERT_TRUE(write_run_file(home_, {0, 0, "ab", "user", "127.0.0.1:1", "http://127.0.0.1:2"}));
    auto run = running_node(home_);
    ASSERT_TRUE(run);
    EXPECT_EQ(run->pid, getpid());
    EXPECT_EQ(run->id, "ab");
    EXPECT_EQ(run->role, "user");
    EXPECT_EQ(run->address, "127.0.0.1:1");
    EXPECT_EQ(run->api, "http://127.0.0.1:2");
    remove_run_file(home_);
    EXPECT_FALSE(running_node(home_));
}

TEST_F(RunFileTest, IsNotBelievedOfAnotherProcess) {
    const auto text = [](pid_t pid, int started) {
        return "{\"pid\": " + std::to_string(pid) + ", \"started\": " + std::to_string(started) + "}";
    };
    ASSERT_TRUE(write_file(home_ / "run.json", text(getpid(), 1)));
    EXPECT_FALSE(running_node(home_)) << "a process that started at another time";
    const pid_t gone = fork();
    if (gone == 0) _exit(0);
    waitpid(gone, nullptr, 0);
    ASSERT_TRUE(write_file(home_ / "run.json", text(gone, 0)));
    EXPECT_FALSE(running_node(home_)) << "a process that is gone";
    ASSERT_TRUE(write_file(home_ / "run.json", "not JSON"));
    EXPECT_FALSE(running_node(home_));
}

}  // namespace
}  // namespace planetserve::roles
