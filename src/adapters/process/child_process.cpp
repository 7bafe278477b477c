#include "adapters/process/child_process.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>

#include "base/requires.h"

namespace planetserve::adapters {

namespace {

// What shells use for a program that could not be run.
constexpr int cannot_run = 127;

// Runs between fork and exec, so it calls only functions that are safe after a fork of a program with threads.
[[noreturn]] void become(char* const* argv, int log, int report, pid_t parent) {
    auto give_up = [&] {
        int error = errno;
        [[maybe_unused]] ssize_t written = ::write(report, &error, sizeof(error));
        ::_exit(cannot_run);
    };
    ::setpgid(0, 0);  // a Ctrl-C reaches the node alone, which then ends its child in good order
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) give_up();
    if (::getppid() != parent) ::_exit(cannot_run);  // the parent ended before prctl
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    for (int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGCHLD}) ::signal(number, SIG_DFL);
    int input = ::open("/dev/null", O_RDONLY);
    if (input < 0 || ::dup2(input, 0) < 0 || ::dup2(log, 1) < 0 || ::dup2(log, 2) < 0) give_up();
    ::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
    ::execv(argv[0], argv);
    give_up();
    ::_exit(cannot_run);
}

std::unexpected<Error> system_error(const std::string& doing) {
    return fail(ErrorCode::io, doing + ": " + std::strerror(errno));
}

}  // namespace

Result<std::unique_ptr<ChildProcess>> ChildProcess::start(boost::asio::io_context& context,
                                                          const std::vector<std::string>& argv,
                                                          const std::filesystem::path& log,
                                                          std::function<void(ProcessEnd)> on_exit) {
    REQUIRES(!argv.empty());
    std::vector<char*> pointers;
    for (const std::string& argument : argv) pointers.push_back(const_cast<char*>(argument.c_str()));
    pointers.push_back(nullptr);
    int output = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (output < 0) return system_error("opening " + log.string());
    int report[2];
    if (::pipe2(report, O_CLOEXEC) != 0) {
        auto error = system_error("a pipe");
        ::close(output);
        return error;
    }
    pid_t parent = ::getpid();
    pid_t pid = ::fork();
    if (pid == 0) become(pointers.data(), output, report[1], parent);
    int fork_error = errno;
    ::close(output);
    ::close(report[1]);
    int exec_error = 0;
    ssize_t told = 0;
    while (pid > 0 && (told = ::read(report[0], &exec_error, sizeof(exec_error))) < 0 && errno == EINTR) {
    }
    ::close(report[0]);
    if (pid < 0) {
        errno = fork_error;
        return system_error("starting a process");
    }
    if (told > 0) {
        ::waitpid(pid, nullptr, 0);
        errno = exec_error;
        return system_error("running " + std::filesystem::path(argv.front()).filename().string());
    }
    int descriptor = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
    if (descriptor < 0) {
        auto error = system_error("watching a process");
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        return error;
    }
    return std::unique_ptr<ChildProcess>(new ChildProcess(context, pid, descriptor, std::move(on_exit)));
}

ChildProcess::ChildProcess(boost::asio::io_context& context, pid_t pid, int descriptor,
                           std::function<void(ProcessEnd)> on_exit)
    : pid_(pid), ended_(context, descriptor), on_exit_(std::move(on_exit)) {
    wait();
}

ChildProcess::~ChildProcess() {
    if (reaped_) return;
    ::kill(pid_, SIGKILL);
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
}

void ChildProcess::signal(int number) {
    if (!reaped_) ::kill(pid_, number);
}

void ChildProcess::wait() {
    ended_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                      [this, owner = lifetime_.watch()](boost::system::error_code error) {
                          if (error || owner.gone()) return;
                          int status = 0;
                          pid_t got = ::waitpid(pid_, &status, WNOHANG);
                          if (got == 0 || (got < 0 && errno == EINTR)) return wait();
                          reaped_ = true;
                          ProcessEnd end;
                          if (WIFSIGNALED(status))
                              end = {"was killed by signal " + std::to_string(WTERMSIG(status)), WTERMSIG(status)};
                          else
                              end.words = "exited with status " + std::to_string(WEXITSTATUS(status));
                          auto handler = std::move(on_exit_);
                          handler(std::move(end));
                      });
}

}  // namespace planetserve::adapters
