// Servers that an experiment starts on this machine and that end with it, however it ends.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/process/child_process.h"
#include "base/result.h"
#include "base/time.h"
#include "local/ports.h"

namespace planetserve::eval {

using local::free_port;

// Runs the context for so long.
void pause(boost::asio::io_context& context, Duration duration);

struct LocalServerOptions {
    std::string name;                     // in messages
    std::vector<std::string> argv;        // argv[0] is a path
    std::string base_url;                 // where it will listen
    std::string health_path = "/health";  // empty: it is not waited for
    std::filesystem::path log;
    Duration start_deadline = 2min;
    std::function<void(pid_t)> on_process = [](pid_t) {};  // at once, before it answers
};

// Everything happens on the context's thread, which is the one that starts it.
class LocalServer {
public:
    // Returns when its health path, if any, answers 200; runs the context meanwhile. The error has the end of the log.
    static Result<std::unique_ptr<LocalServer>> start(boost::asio::io_context& context, LocalServerOptions options);

    const std::string& base_url() const { return options_.base_url; }
    pid_t pid() const { return process_->pid(); }

private:
    explicit LocalServer(LocalServerOptions options) : options_(std::move(options)) {}

    const LocalServerOptions options_;
    std::string ended_;  // how, once it did
    std::unique_ptr<adapters::ChildProcess> process_;
};

}  // namespace planetserve::eval
