#include "adapters/llama/managed_engine.h"

#include <boost/asio/post.hpp>
#include <stdexcept>

#include "adapters/llama/http_engine.h"
#include "adapters/llama/llama_server.h"
#include "adapters/process/program_files.h"
#include "adapters/process/supervisor.h"
#include "base/lifetime.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace fs = std::filesystem;

namespace {

constexpr std::uint32_t maximum_slots = 1024;
// Beyond what the slots need, connections wait in the engine's own queue.
constexpr std::size_t connections_per_slot = 4;
constexpr std::size_t spare_connections = 64;
// A stream keeps a thread of the engine; probes must be answered while every slot streams.
constexpr std::uint32_t http_threads_per_slot = 2;
constexpr std::uint32_t spare_http_threads = 4;
constexpr unsigned ok = 200;

SupervisionLimits limits_of(const ManagedEngineOptions& options) {
    return {.start_deadline = options.start_deadline,
            .stop_grace = options.stop_grace,
            .shortest_backoff = options.shortest_backoff,
            .longest_backoff = options.longest_backoff};
}

void check(const ManagedEngineOptions& options) {
    if (options.slots == 0 || options.slots > maximum_slots || options.context == 0)
        throw std::invalid_argument("an engine needs 1 to 1,024 slots and a context of at least one token");
    if (options.alias.empty()) throw std::invalid_argument("an engine's model needs a name");
    if (options.socket.extension() != ".sock")
        throw std::invalid_argument("the name of the engine's socket must end in .sock");
}

}  // namespace

std::string_view to_string(EngineState state) {
    switch (state) {
        case EngineState::starting:
            return "starting";
        case EngineState::ready:
            return "ready";
        case EngineState::failing:
            return "failing";
        case EngineState::stopped:
            return "stopped";
    }
    return "unknown";
}

class ManagedEngine::Program final : private SupervisedProgram, private inference::ReplySink {
public:
    Program(asio::io_context& context, ManagedEngineOptions options, StateHandler on_state)
        : context_(context),
          options_(std::move(options)),
          on_state_(std::move(on_state)),
          supervisor_(std::make_unique<Supervisor>(context, clock_, limits_of(options_),
                                                   static_cast<SupervisedProgram&>(*this))) {
        check(options_);
        options_.socket = fs::absolute(options_.socket);
        if (!fits_socket(options_.socket)) {
            own_folder_ = make_socket_folder();
            options_.socket = own_folder_ / "engine.sock";
        }
        HttpEngineOptions http;
        http.target.kind = HttpTarget::Kind::unix_socket;
        http.target.host = options_.socket.string();
        http.connections = options_.slots * connections_per_slot + spare_connections;
        http_ = std::make_unique<HttpEngine>(context_, std::move(http));
    }

    ~Program() override {
        std::error_code ignored;
        bool launched = supervisor_->launches() > 0;
        supervisor_.reset();  // the engine is gone before its files are
        if (launched) fs::remove(options_.socket, ignored);
        if (!own_folder_.empty()) fs::remove_all(own_folder_, ignored);
    }

    void run() { supervisor_->run(); }

    void stop() {
        supervisor_->stop();
        if (supervisor_->state() == Supervision::State::stopped) change(EngineState::stopped, "stopped");
    }

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) {
        if (status_.state != EngineState::ready)
            return fail(ErrorCode::unavailable, "the engine of " + options_.alias + " is " +
                                                    std::string(to_string(status_.state)) + ": " + status_.reason);
        return http_->start(std::move(request), sink);
    }

    const EngineStatus& status() const { return status_; }
    pid_t pid() const { return supervisor_->pid(); }
    const fs::path& socket() const { return options_.socket; }
    std::uint64_t restarts() const { return supervisor_->launches() > 0 ? supervisor_->launches() - 1 : 0; }

private:
    Result<ProgramCommand> prepare() override {
        std::error_code ignored;
        for (const fs::path& file : {options_.log, options_.socket})
            if (!file.parent_path().empty()) fs::create_directories(file.parent_path(), ignored);
        fs::remove(options_.socket, ignored);  // an engine that was killed leaves it
        return ProgramCommand{
            llama_server_command({.program = options_.program,
                                  .model_file = options_.model_file,
                                  .alias = options_.alias,
                                  .host = options_.socket.string(),
                                  .slots = options_.slots,
                                  .context = options_.context,
                                  .threads = options_.threads,
                                  .http_threads = options_.slots * http_threads_per_slot + spare_http_threads,
                                  .cache_mib = options_.cache_mib,
                                  .flash_attention = options_.flash_attention,
                                  .extra_arguments = options_.extra_arguments}),
            options_.log};
    }

    void probe(AnswerProbe answer) override {
        probe_.reset();
        answer_probe_ = std::move(answer);
        health_ = ProbeAnswer::failed;
        inference::Request request;
        request.method = "GET";
        request.path = "/health";
        auto exchange = http_->start(std::move(request), *this);
        if (!exchange) return answer_probe_(ProbeAnswer::failed);
        probe_ = std::move(*exchange);
    }

    void on_head(const inference::ReplyHead& head) override {
        if (head.status == ok) health_ = ProbeAnswer::serving;
    }
    void on_body(ByteView bytes) override {
        if (probe_) probe_->consumed(bytes.size());
    }
    void on_end() override { probed(health_); }
    void on_error(const Error&) override { probed(ProbeAnswer::failed); }

    void probed(ProbeAnswer answer) {
        probe_.reset();
        answer_probe_(answer);
    }

    void clean_up() override { probe_.reset(); }
    std::string late_words() const override { return "did not load its model in time"; }
    std::string unresponsive_words() const override { return "did not answer health probes"; }

    void on_state(Supervision::State state) override {
        using State = Supervision::State;
        switch (state) {
            case State::starting:
            case State::catching_up:
                return change(EngineState::starting,
                              supervisor_->launches() == 1
                                  ? "loading the model"
                                  : "loading the model again; the engine " + supervisor_->last_end());
            case State::serving:
                return change(EngineState::ready, "");
            case State::unresponsive:
                return change(EngineState::failing, "the engine does not answer health probes");
            case State::waiting:
                return change(EngineState::failing,
                              "the engine " + supervisor_->last_end() + "; it will be started again");
            case State::stopping:
                return change(EngineState::failing, "stopping");
            case State::stopped:
                return change(EngineState::stopped, "stopped");
        }
    }

    // The handler may destroy the engine, so it is called from the io_context, with nothing of this on the stack.
    void change(EngineState state, std::string reason) {
        if (status_.state == state && status_.reason == reason) return;
        status_ = {state, std::move(reason)};
        if (!on_state_) return;
        asio::post(context_, [this, owner = lifetime_.watch(), status = status_] {
            if (owner.gone()) return;
            auto handler = on_state_;
            handler(status);
        });
    }

    asio::io_context& context_;
    SystemClock clock_;
    ManagedEngineOptions options_;
    StateHandler on_state_;
    fs::path own_folder_;
    std::unique_ptr<HttpEngine> http_;
    std::unique_ptr<inference::Exchange> probe_;
    AnswerProbe answer_probe_;
    ProbeAnswer health_ = ProbeAnswer::failed;
    EngineStatus status_{EngineState::stopped, "not started"};
    std::unique_ptr<Supervisor> supervisor_;
    Lifetime lifetime_;
};

ManagedEngine::ManagedEngine(asio::io_context& context, ManagedEngineOptions options, StateHandler on_state)
    : program_(std::make_unique<Program>(context, std::move(options), std::move(on_state))) {}
ManagedEngine::~ManagedEngine() = default;

void ManagedEngine::run() { program_->run(); }
void ManagedEngine::stop() { program_->stop(); }
Result<std::unique_ptr<inference::Exchange>> ManagedEngine::start(inference::Request request,
                                                                  inference::ReplySink& sink) {
    return program_->start(std::move(request), sink);
}
const EngineStatus& ManagedEngine::status() const { return program_->status(); }
pid_t ManagedEngine::pid() const { return program_->pid(); }
const fs::path& ManagedEngine::socket() const { return program_->socket(); }
std::uint64_t ManagedEngine::restarts() const { return program_->restarts(); }

}  // namespace planetserve::adapters
