// A program run as a child which does not outlive this process.
#pragma once

#include <sys/types.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/lifetime.h"
#include "base/result.h"

namespace planetserve::adapters {

struct ProcessEnd {
    std::string words;  // "exited with status 1", "was killed by signal 9"
    int signal = 0;     // that ended it; 0 where it exited
};

// Use it on the io_context's thread. The kernel kills the child when the thread that started it ends, however that
// thread ends. So start the child on the thread that runs the io_context.
class ChildProcess {
public:
    // Runs argv[0], a path, in a process group of its own. The program has no standard input and no descriptor but its
    // output, which is appended to the log. When it ends, the handler is told how; of a child that this object kills in
    // its destructor it is not. Requires: argv is not empty.
    static Result<std::unique_ptr<ChildProcess>> start(boost::asio::io_context& context,
                                                       const std::vector<std::string>& argv,
                                                       const std::filesystem::path& log,
                                                       std::function<void(ProcessEnd)> on_exit);
    // Kills it and waits for the kernel to have done so.
    ~ChildProcess();
    ChildProcess(const ChildProcess&) = delete;
    ChildProcess& operator=(const ChildProcess&) = delete;

    pid_t pid() const { return pid_; }
    void signal(int number);

private:
    ChildProcess(boost::asio::io_context& context, pid_t pid, int descriptor, std::function<void(ProcessEnd)> on_exit);
    void wait();

    pid_t pid_;
    bool reaped_ = false;
    boost::asio::posix::stream_descriptor ended_;  // a pidfd: readable when the child ended
    std::function<void(ProcessEnd)> on_exit_;
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
