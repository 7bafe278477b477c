// A llama-server of our own: it is started, probed, restarted when it ends, and gone when this process is.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "adapters/llama/engine_status.h"
#include "base/time.h"
#include "inference/service.h"

namespace planetserve::adapters {

struct ManagedEngineOptions {
    std::filesystem::path program;     // llama-server
    std::filesystem::path model_file;  // GGUF
    std::string alias;                 // the model's name in its replies
    std::uint32_t slots = 4;           // requests at once
    std::uint32_t context = 4096;      // tokens a slot
    std::uint32_t threads = 0;         // 0: all cores
    std::uint32_t cache_mib = 256;     // prompt cache in main memory
    // Off by default: see LlamaServerOptions.
    bool flash_attention = false;
    // The unix socket it listens on, ending in ".sock". If the path is too long for a socket, a private folder in
    // XDG_RUNTIME_DIR or /tmp takes its place.
    std::filesystem::path socket;
    std::filesystem::path log;  // its output; renamed to LOG.1 at a start when over 16 MiB
    std::vector<std::string> extra_arguments;
    Duration start_deadline = 10min;  // loading the model
    Duration stop_grace = 5s;         // between SIGTERM and SIGKILL
    Duration shortest_backoff = 500ms;
    Duration longest_backoff = 30s;
};

// Everything, run() too, happens on the thread that runs the io_context, which outlives the engine.
class ManagedEngine final : public inference::Service {
public:
    using StateHandler = EngineStatusTeller::Handler;

    // Throws std::invalid_argument when the options cannot work.
    ManagedEngine(boost::asio::io_context& context, ManagedEngineOptions options, StateHandler on_state = {});
    // Kills the engine if it still runs. Call stop() before and wait for EngineState::stopped to end it in good order.
    ~ManagedEngine() override;

    // Starts the program, unless it runs or will be restarted. The handler hears of every change of state, from the
    // io_context.
    void run();
    // Ends the program: SIGTERM, then SIGKILL after the grace. Requests under way fail.
    void stop();

    // Fails with unavailable and the reason while the engine is not ready, and with invalid_argument for a request that
    // the engine ended with. Errors that sinks get: see EngineCalls.
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) override;

    const EngineStatus& status() const;
    pid_t pid() const;  // 0 when none runs
    const std::filesystem::path& socket() const;
    std::uint64_t restarts() const;

private:
    class Program;
    std::unique_ptr<Program> program_;
};

}  // namespace planetserve::adapters
