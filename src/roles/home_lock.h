// One process a home. Two nodes with one home would have one identity: links, registrations and files of the one would
// undo those of the other. So a node locks the file `lock` in its home for as long as it runs, and so does
// `planetserve up` with the home of a network. The kernel frees the lock when the process ends, however it ends.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>

#include "base/result.h"

namespace planetserve::roles {

// A lock of POSIX: the kernel names its holder, so no file can name a process that is gone. It is the process's, not
// the object's: two in one process do not shut each other out, and it is lost when the process closes any descriptor of
// the file. So only this class opens it.
class HomeLock {
public:
    // Makes the home if it is missing. already_exists: another process has the lock; the message names it. Programs
    // that this process starts do not inherit the lock.
    static Result<HomeLock> take(const std::filesystem::path& home);

    HomeLock(HomeLock&& other) noexcept;
    HomeLock& operator=(HomeLock&&) = delete;
    ~HomeLock();

private:
    explicit HomeLock(int descriptor) : descriptor_(descriptor) {}

    int descriptor_;  // -1 after a move
};

// The process that has the lock of a home; empty where none has. Requires: this process has not locked it itself.
std::optional<pid_t> home_holder(const std::filesystem::path& home);

}  // namespace planetserve::roles
