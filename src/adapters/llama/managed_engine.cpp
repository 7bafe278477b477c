#include "adapters/llama/managed_engine.h"

#include <stdexcept>

#include "adapters/llama/engine_calls.h"
#include "adapters/llama/http_engine.h"
#include "adapters/llama/llama_server.h"
#include "adapters/process/program_files.h"
#include "adapters/process/supervisor.h"
#include "inference/small_call.h"

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
// Between two tokens that an idle engine is asked for, where nothing is in doubt: each may displace what its cache
// holds.
constexpr Duration token_every = 10min;
constexpr std::string_view token_request = R"({"prompt":".","n_predict":1,"cache_prompt":false})";

// While answers progress the engine is not probed: they say more.
constexpr Duration fresh_progress = 2s;

// An engine that falls silent is found out within 10 s: two probes, each up to its deadline after a pause. One that
// stays so is killed after some 50 s; a machine may be short of time for that long.
SupervisionLimits limits_of(const ManagedEngineOptions& options) {
    return {.probe_serving = 1s,
            .probe_deadline = 3s,
            .start_deadline = options.start_deadline,
            .unresponsive_after = 2,
            .kill_after = 12,
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

class ManagedEngine::Program final : private SupervisedProgram, private inference::ReplySink {
public:
    Program(asio::io_context& context, ManagedEngineOptions options, StateHandler on_state)
        : context_(context),
          options_(std::move(options)),
          status_(context, clock_, std::move(on_state)),
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
        calls_ = std::make_unique<EngineCalls>(*http_, options_.alias, clock_);
    }

    ~Program() override {
        std::error_code ignored;
        bool launched = supervisor_->launches() > 0;
        supervisor_.reset();  // the engine is gone before its files are
        if (launched) fs::remove(options_.socket, ignored);
        if (!own_folder_.empty()) fs::remove_all(own_folder_, ignored);
    }

    void run() {
        stopping_ = false;
        supervisor_->run();
    }

    void stop() {
        stopping_ = true;
        // Before its end breaks their connections: they go on elsewhere, and nobody blames them.
        calls_->release(EngineEnd::ordered);
        supervisor_->stop();
        if (supervisor_->state() == Supervision::State::stopped) status_.change(EngineState::stopped, "stopped");
    }

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) {
        if (status_.state() != EngineState::ready)
            return fail(ErrorCode::unavailable, "the engine of " + options_.alias + " is " +
                                                    std::string(to_string(status_.state())) + ": " +
                                                    status_.status().reason);
        return calls_->start(std::move(request), sink);
    }

    const EngineStatus& status() const { return status_.status(); }
    pid_t pid() const { return supervisor_->pid(); }
    const fs::path& socket() const { return options_.socket; }
    std::uint64_t restarts() const { return supervisor_->launches() > 0 ? supervisor_->launches() - 1 : 0; }

private:
    using State = Supervision::State;

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
        answer_probe_ = std::move(answer);
        const bool served = status_.state() == EngineState::ready || supervisor_->state() == State::unresponsive;
        if (served && clock_.now() - calls_->progressed_at() < fresh_progress) {
            probe_.reset();
            token_at_ = calls_->progressed_at();
            return answer_probe_(ProbeAnswer::serving);
        }
        // A slow engine gives its token after the deadline of the probe that asked for it. It is not asked anew.
        if (probe_ && asks_token_ && calls_->idle()) return;
        // Its HTTP threads answer for its health, also while what computes hangs. An idle engine is asked for a token.
        if (calls_->take_unanswered()) token_at_ = {};
        asks_token_ = served && calls_->idle() && (token_at_ == Time{} || clock_.now() - token_at_ >= token_every);
        if (asks_token_) token_at_ = {};
        probe_.reset();
        health_ = ProbeAnswer::failed;
        auto exchange = http_->start(
            asks_token_ ? inference::post_of("/completion", token_request) : inference::get_of("/health"), *this);
        if (!exchange) return answer_probe_(ProbeAnswer::failed);
        probe_ = std::move(*exchange);
    }

    void on_head(const inference::ReplyHead& head) override {
        if (head.status == ok || (asks_token_ && is_answer(head.status))) health_ = ProbeAnswer::serving;
    }
    void on_body(ByteView bytes) override {
        if (probe_) probe_->consumed(bytes.size());
    }
    void on_end() override {
        if (asks_token_ && health_ == ProbeAnswer::serving) token_at_ = clock_.now();
        probed(health_);
    }
    void on_error(const Error&) override { probed(ProbeAnswer::failed); }

    void probed(ProbeAnswer answer) {
        probe_.reset();
        answer_probe_(answer);
    }

    Fault fault_of_end() override {
        const bool by_request = calls_->at_work();
        restarting_ = by_request && served_;
        return by_request ? Fault::request : Fault::program;
    }
    void clean_up() override {
        served_ = false;
        probe_.reset();
        calls_->release(stopping_                                    ? EngineEnd::ordered
                        : supervisor_->last_cause() == EndCause::own ? EngineEnd::crashed
                                                                     : EngineEnd::killed);
    }
    std::string late_words() const override { return "did not load its model in time"; }
    std::string unresponsive_words() const override { return "did not answer health probes"; }

    void on_state(State state) override {
        switch (state) {
            case State::starting:
            case State::catching_up:
                return status_.change(restarting_ ? EngineState::restarting : EngineState::starting,
                                      supervisor_->launches() == 1
                                          ? "loading the model"
                                          : "loading the model again; the engine " + supervisor_->last_end());
            case State::serving:
                served_ = true;
                restarting_ = false;
                return status_.change(EngineState::ready, "");
            case State::unresponsive:
                // The requests that it has are better off elsewhere.
                status_.change(EngineState::failing, "the engine does not answer health probes");
                return calls_->release(EngineEnd::killed);
            case State::waiting:
                return status_.change(restarting_ ? EngineState::restarting : EngineState::failing,
                                      "the engine " + supervisor_->last_end() + "; it will be started again");
            case State::stopping:
                return status_.change(EngineState::failing, "stopping");
            case State::stopped:
                return status_.change(EngineState::stopped, "stopped");
        }
    }

    asio::io_context& context_;
    SystemClock clock_;
    ManagedEngineOptions options_;
    EngineStatusTeller status_;
    fs::path own_folder_;
    bool stopping_ = false;
    bool served_ = false;  // since its start
    bool restarting_ = false;
    std::unique_ptr<HttpEngine> http_;
    std::unique_ptr<EngineCalls> calls_;
    std::unique_ptr<inference::Exchange> probe_;
    AnswerProbe answer_probe_;
    ProbeAnswer health_ = ProbeAnswer::failed;
    bool asks_token_ = false;
    Time token_at_{};  // when it last gave one to a probe
    std::unique_ptr<Supervisor> supervisor_;
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
