// A llama-server of our own: started, watched, restarted when it ends, and gone when this process is.
#pragma once

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

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
    // On a processor it takes 10 times as long to add a few tokens to a cached prompt, and a third less for a long new
    // one; on a GPU it is what one wants.
    bool flash_attention = false;
    // The unix socket it listens on, ending in ".sock". A path too long for a socket is replaced by a private folder in
    // XDG_RUNTIME_DIR or /tmp.
    std::filesystem::path socket;
    std::filesystem::path log;  // what it prints; put by as LOG.1 when over 16 MiB at a start
    std::vector<std::string> extra_arguments;
    Duration start_deadline = 10min;  // loading the model
    Duration stop_grace = 5s;         // between SIGTERM and SIGKILL
    Duration shortest_backoff = 500ms;
    Duration longest_backoff = 30s;
};

enum class EngineState : std::uint8_t { starting, ready, failing, stopped };
std::string_view to_string(EngineState state);

struct EngineStatus {
    EngineState state = EngineState::stopped;
    std::string reason;  // in words, without paths; empty when ready
};

// Everything happens on the thread that runs the io_context, which must outlive the engine; run() is called on it too.
class ManagedEngine final : public inference::Service {
public:
    using StateHandler = std::function<void(const EngineStatus&)>;

    // Throws std::invalid_argument when the options cannot work.
    ManagedEngine(boost::asio::io_context& context, ManagedEngineOptions options, StateHandler on_state = {});
    // Kills it if it still runs; call stop() before and wait for EngineState::stopped to end it in good order.
    ~ManagedEngine() override;

    // Starts the program. The handler hears of every change of state, from the io_context.
    void run();
    // Ends the program: SIGTERM, and SIGKILL after the grace. Requests under way fail.
    void stop();

    // unavailable with the reason while the engine is not ready.
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
