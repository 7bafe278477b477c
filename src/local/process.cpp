#include "local/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

namespace planetserve::local {

Result<pid_t> start_detached(const std::vector<std::string>& command, const std::filesystem::path& log) {
    std::error_code error;
    std::filesystem::create_directories(log.parent_path(), error);
    std::vector<char*> arguments;
    for (const std::string& argument : command) arguments.push_back(const_cast<char*>(argument.c_str()));
    arguments.push_back(nullptr);
    int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (out < 0) return fail(ErrorCode::io, "cannot write " + log.string() + ": " + std::strerror(errno));
    pid_t pid = fork();
    if (pid < 0) {
        close(out);
        return fail(ErrorCode::io, std::string("cannot start a process: ") + std::strerror(errno));
    }
    if (pid == 0) {
        setsid();
        int null = open("/dev/null", O_RDONLY);
        dup2(null, STDIN_FILENO);
        dup2(out, STDOUT_FILENO);
        dup2(out, STDERR_FILENO);
        for (int descriptor = 3; descriptor < 256; ++descriptor) close(descriptor);
        execv(arguments[0], arguments.data());
        _exit(127);
    }
    close(out);
    return pid;
}

bool process_runs(pid_t pid) {
    int state = 0;
    if (waitpid(pid, &state, WNOHANG) == pid) return false;
    return kill(pid, 0) == 0 || errno == EPERM;
}

std::size_t stop_processes(const std::vector<pid_t>& pids, int grace_seconds) {
    for (pid_t pid : pids) kill(pid, SIGTERM);
    auto end = std::chrono::steady_clock::now() + std::chrono::seconds(grace_seconds);
    std::vector<pid_t> left = pids;
    while (!left.empty() && std::chrono::steady_clock::now() < end) {
        std::erase_if(left, [](pid_t pid) { return !process_runs(pid); });
        if (!left.empty()) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    for (pid_t pid : left) kill(pid, SIGKILL);
    for (pid_t pid : left)
        for (int i = 0; i < 100 && process_runs(pid); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
    return left.size();
}

std::filesystem::path own_program() { return std::filesystem::read_symlink("/proc/self/exe"); }

}  // namespace planetserve::local
