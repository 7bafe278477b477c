#include "roles/home_lock.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <string>

namespace planetserve::roles {
namespace {

namespace fs = std::filesystem;

class HomeLockTest : public testing::Test {
protected:
    HomeLockTest() : home_(fs::temp_directory_path() / ("planetserve-lock-" + std::to_string(getpid()))) {}
    ~HomeLockTest() override { fs::remove_all(home_); }

    // A process that has the lock until it is killed.
    pid_t start_holder() const {
        int ready[2];
        EXPECT_EQ(pipe(ready), 0);
        const pid_t pid = fork();
        if (pid == 0) {
            auto lock = HomeLock::take(home_);
            char taken = lock ? 1 : 0;
            (void)!write(ready[1], &taken, 1);
            for (;;) pause();
        }
        char taken = 0;
        EXPECT_EQ(read(ready[0], &taken, 1), 1);
        EXPECT_EQ(taken, 1);
        close(ready[0]);
        close(ready[1]);
        return pid;
    }
    static void kill_hard(pid_t pid) {
        kill(pid, SIGKILL);
        waitpid(pid, nullptr, 0);
    }

    fs::path home_;
};

TEST_F(HomeLockTest, ASecondProcessIsToldWhoHasTheHome) {
    EXPECT_FALSE(home_holder(home_)) << "there is no home yet";
    const pid_t first = start_holder();
    auto second = HomeLock::take(home_);
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, ErrorCode::already_exists);
    EXPECT_EQ(second.error().message, home_.string() + " is in use by process " + std::to_string(first));
    EXPECT_EQ(home_holder(home_), first);
    kill_hard(first);
}

TEST_F(HomeLockTest, IsFreeOnceItsProcessIsGone) {
    kill_hard(start_holder());
    EXPECT_FALSE(home_holder(home_));
    EXPECT_TRUE(HomeLock::take(home_));
}

TEST_F(HomeLockTest, SaysWhyAHomeCannotBeMade) {
    auto lock = HomeLock::take("/proc/planetserve");
    ASSERT_FALSE(lock);
    EXPECT_EQ(lock.error().code, ErrorCode::io);
}

}  // namespace
}  // namespace planetserve::roles
