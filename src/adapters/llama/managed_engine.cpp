#include "adapters/llama/managed_engine.h"

#include <signal.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <stdexcept>
#include <thread>

#include "adapters/llama/http_engine.h"
#include "adapters/process/child_process.h"
#include "adapters/process/supervision.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace fs = std::filesystem;
using boost::system::error_code;

namespace {

constexpr Duration poll_starting = 100ms;
constexpr Duration poll_ready = 5s;
constexpr Duration probe_deadline = 5s;
// After so many failed probes a ready engine is failing, and after so many more it is started anew.
constexpr unsigned failing_after = 3;
constexpr unsigned kill_after = 12;

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

class ManagedEngine::Life : public std::enable_shared_from_this<Life>, private inference::ReplySink {
public:
    Life(asio::io_context& context, ManagedEngineOptions options, StateHandler on_state)
        : context_(context),
          options_(std::move(options)),
          on_state_(std::move(on_state)),
          timer_(context),
          grace_(context) {
        if (options_.slots == 0 || options_.slots > 1024 || options_.context == 0)
            throw std::invalid_argument("an engine needs 1 to 1,024 slots and a context of at least one token");
        if (options_.alias.empty()) throw std::invalid_argument("an engine's model needs a name");
        if (options_.socket.extension() != ".sock")
            throw std::invalid_argument("the name of the engine's socket must end in .sock");
        options_.socket = fs::absolute(options_.socket);
        if (!fits_socket(options_.socket)) {
            own_folder_ = make_socket_folder();
            options_.socket = own_folder_ / "engine.sock";
        }
        HttpEngineOptions http;
        http.target.kind = HttpTarget::Kind::unix_socket;
        http.target.host = options_.socket.string();
        http.connections = options_.slots * 4 + 64;
        http_ = std::make_unique<HttpEngine>(context_, std::move(http));
        backoff_ = options_.shortest_backoff;
    }

    ~Life() override { destroy(); }

    // Ends everything at once, without telling.
    void destroy() {
        on_state_ = {};
        wanted_ = false;
        probe_.reset();
        timer_.cancel();
        grace_.cancel();
        child_.reset();
        std::error_code ignored;
        if (launched_) fs::remove(options_.socket, ignored);
        if (!own_folder_.empty()) fs::remove_all(own_folder_, ignored);
    }

    void run() {
        if (std::exchange(wanted_, true)) return;
        if (!child_) launch();
    }

    void stop() {
        wanted_ = false;
        timer_.cancel();
        probe_.reset();
        if (!child_) return change(EngineState::stopped, "stopped");
        change(EngineState::failing, "stopping");
        child_->signal(SIGTERM);
        grace_.expires_after(options_.stop_grace);
        grace_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && !self->wanted_ && self->child_) self->child_->signal(SIGKILL);
        });
    }

    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request, inference::ReplySink& sink) {
        if (status_.state != EngineState::ready)
            return fail(ErrorCode::unavailable, "the engine of " + options_.alias + " is " +
                                                    std::string(to_string(status_.state)) + ": " + status_.reason);
        return http_->start(std::move(request), sink);
    }

    const EngineStatus& status() const { return status_; }
    pid_t pid() const { return child_ ? child_->pid() : 0; }
    const fs::path& socket() const { return options_.socket; }
    std::uint64_t restarts() const { return launches_ > 0 ? launches_ - 1 : 0; }

private:
    // The handler may destroy the engine: nothing of a Life is used after a change but by those who hold it.
    void change(EngineState state, std::string reason) {
        if (status_.state == state && status_.reason == reason) return;
        status_ = {state, std::move(reason)};
        if (!on_state_) return;
        asio::post(context_, [weak = weak_from_this(), status = status_] {
            auto self = weak.lock();
            if (!self || !self->on_state_) return;
            auto handler = self->on_state_;
            handler(status);
        });
    }

    std::vector<std::string> arguments() const {
        std::uint64_t threads = options_.threads ? options_.threads : std::max(1U, std::thread::hardware_concurrency());
        std::uint64_t total = std::uint64_t{options_.slots} * options_.context;
        // Probes must be answered while every slot is streaming, each of which keeps a thread.
        std::uint64_t http_threads = std::uint64_t{options_.slots} * 2 + 4;
        std::vector<std::string> argv{options_.program.string(),
                                      "--host",
                                      options_.socket.string(),
                                      "-m",
                                      options_.model_file.string(),
                                      "--alias",
                                      options_.alias,
                                      "-np",
                                      std::to_string(options_.slots),
                                      "-c",
                                      std::to_string(total),
                                      "-t",
                                      std::to_string(threads),
                                      "--threads-http",
                                      std::to_string(http_threads),
                                      "--cache-ram",
                                      std::to_string(options_.cache_mib),
                                      "-fa",
                                      options_.flash_attention ? "on" : "off",
                                      "--metrics",
                                      "--no-webui"};
        argv.insert(argv.end(), options_.extra_arguments.begin(), options_.extra_arguments.end());
        return argv;
    }

    void launch() {
        ++launches_;
        change(EngineState::starting,
               launches_ == 1 ? "loading the model" : "loading the model again; the engine " + last_exit_);
        std::error_code ignored;
        if (!options_.log.parent_path().empty()) fs::create_directories(options_.log.parent_path(), ignored);
        if (!options_.socket.parent_path().empty()) fs::create_directories(options_.socket.parent_path(), ignored);
        put_log_by(options_.log);
        fs::remove(options_.socket, ignored);  // what an engine that was killed left
        launched_ = true;
        failures_ = 0;
        started_ = SystemClock().now();
        auto child =
            ChildProcess::start(context_, arguments(), options_.log, [weak = weak_from_this()](std::string how) {
                if (auto self = weak.lock()) self->on_exit(std::move(how));
            });
        if (!child) return launch_later("could not be started: " + child.error().message);
        child_ = std::move(*child);
        probe_in(poll_starting);
    }

    void on_exit(std::string how) {
        child_.reset();
        probe_.reset();
        grace_.cancel();
        timer_.cancel();
        if (!wanted_) return change(EngineState::stopped, "stopped");
        // One that served for a while is no proof that starting is vain.
        if (SystemClock().now() - started_ > options_.longest_backoff) backoff_ = options_.shortest_backoff;
        launch_later(std::move(how));
    }

    void launch_later(std::string how) {
        last_exit_ = std::move(how);
        change(EngineState::failing, "the engine " + last_exit_ + "; it will be started again");
        timer_.expires_after(backoff_);
        backoff_ = std::min(backoff_ * 2, options_.longest_backoff);
        timer_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && self->wanted_ && !self->child_) self->launch();
        });
    }

    void probe_in(Duration delay) {
        timer_.expires_after(delay);
        timer_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && self->wanted_ && self->child_) self->probe();
        });
    }

    void probe() {
        healthy_ = false;
        inference::Request request;
        request.method = "GET";
        request.path = "/health";
        auto exchange = http_->start(std::move(request), *this);
        if (!exchange) return probed(false);
        probe_ = std::move(*exchange);
        timer_.expires_after(probe_deadline);
        timer_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && self->probe_) self->probed(false);
        });
    }

    void on_head(const inference::ReplyHead& head) override { healthy_ = head.status == 200; }
    void on_body(ByteView bytes) override {
        if (probe_) probe_->consumed(bytes.size());
    }
    void on_end() override { probed(healthy_); }
    void on_error(const Error&) override { probed(false); }

    void probed(bool healthy) {
        probe_.reset();
        if (!wanted_ || !child_) return;
        if (healthy) {
            failures_ = 0;
            change(EngineState::ready, "");
            return probe_in(poll_ready);
        }
        if (status_.state == EngineState::starting) {
            if (SystemClock().now() - started_ > options_.start_deadline)
                return give_up("did not load its model in time");
            return probe_in(poll_starting);
        }
        ++failures_;
        if (failures_ >= kill_after) return give_up("did not answer health probes");
        if (failures_ >= failing_after) change(EngineState::failing, "the engine does not answer health probes");
        probe_in(poll_ready);
    }

    void give_up(const std::string& why) {
        child_.reset();
        launch_later(why + " and was killed");
    }

    asio::io_context& context_;
    ManagedEngineOptions options_;
    StateHandler on_state_;
    fs::path own_folder_;
    std::unique_ptr<HttpEngine> http_;
    std::unique_ptr<inference::Exchange> probe_;
    std::unique_ptr<ChildProcess> child_;
    asio::steady_timer timer_;  // the next probe, its deadline, or the next launch
    asio::steady_timer grace_;
    EngineStatus status_{EngineState::stopped, "not started"};
    std::string last_exit_;
    Duration backoff_{};
    Time started_{};
    std::uint64_t launches_ = 0;
    unsigned failures_ = 0;
    bool wanted_ = false;
    bool launched_ = false;
    bool healthy_ = false;
};

ManagedEngine::ManagedEngine(asio::io_context& context, ManagedEngineOptions options, StateHandler on_state)
    : life_(std::make_shared<Life>(context, std::move(options), std::move(on_state))) {}
ManagedEngine::~ManagedEngine() { life_->destroy(); }

void ManagedEngine::run() { life_->run(); }
void ManagedEngine::stop() { life_->stop(); }
Result<std::unique_ptr<inference::Exchange>> ManagedEngine::start(inference::Request request,
                                                                  inference::ReplySink& sink) {
    return life_->start(std::move(request), sink);
}
const EngineStatus& ManagedEngine::status() const { return life_->status(); }
pid_t ManagedEngine::pid() const { return life_->pid(); }
const fs::path& ManagedEngine::socket() const { return life_->socket(); }
std::uint64_t ManagedEngine::restarts() const { return life_->restarts(); }

}  // namespace planetserve::adapters
