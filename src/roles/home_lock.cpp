#include "roles/home_lock.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace planetserve::roles {

namespace fs = std::filesystem;

namespace {

constexpr int attempts = 3;  // a holder may end between the refusal and the question who it is

fs::path lock_file(const fs::path& home) { return home / "lock"; }

struct flock whole_file() {
    struct flock lock{};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    return lock;
}

std::optional<pid_t> holder_of(int descriptor) {
    struct flock lock = whole_file();
    if (fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return std::nullopt;
    return lock.l_pid;
}

}  // namespace

Result<HomeLock> HomeLock::take(const fs::path& home) {
    std::error_code error;
    fs::create_directories(home, error);
    if (error) return fail(ErrorCode::io, "cannot create " + home.string() + ": " + error.message());
    const fs::path file = lock_file(home);
    const int descriptor = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (descriptor < 0) return fail(ErrorCode::io, "cannot open " + file.string() + ": " + std::strerror(errno));
    HomeLock lock(descriptor);
    for (int attempt = 0; attempt < attempts; ++attempt) {
        struct flock wanted = whole_file();
        if (fcntl(descriptor, F_SETLK, &wanted) == 0) return lock;
        const int why = errno;
        if (why != EACCES && why != EAGAIN)
            return fail(ErrorCode::io, "cannot lock " + file.string() + ": " + std::strerror(why));
        // 0 is a process of another container.
        if (auto holder = holder_of(descriptor); holder && *holder > 0)
            return fail(ErrorCode::already_exists, home.string() + " is in use by process " + std::to_string(*holder));
    }
    return fail(ErrorCode::already_exists, home.string() + " is in use by another process");
}

HomeLock::HomeLock(HomeLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

HomeLock::~HomeLock() {
    if (descriptor_ >= 0) close(descriptor_);
}

std::optional<pid_t> home_holder(const fs::path& home) {
    const int descriptor = open(lock_file(home).c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor < 0) return std::nullopt;
    auto holder = holder_of(descriptor);
    close(descriptor);
    return holder;
}

}  // namespace planetserve::roles
