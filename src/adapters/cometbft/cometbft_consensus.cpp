#include "adapters/cometbft/cometbft_consensus.h"

#include <signal.h>

#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "adapters/cometbft/abci.pb.h"
#include "adapters/cometbft/abci_server.h"
#include "adapters/cometbft/application.h"
#include "adapters/cometbft/base64.h"
#include "adapters/cometbft/cometbft_home.h"
#include "adapters/cometbft/cometbft_rpc.h"
#include "adapters/cometbft/commit_json.h"
#include "adapters/cometbft/state_proofs.h"
#include "adapters/process/child_process.h"
#include "adapters/process/supervision.h"
#include "committee/header_verifier.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr Duration poll_starting = 100ms;
constexpr Duration poll_running = 2s;
// After so many polls without an answer, each of 5 s, an engine that did answer is started anew.
constexpr unsigned kill_after = 6;

Status answer_of(const Result<json::value>& result) {
    if (!result) {
        bool twice = result.error().message.find("already exists in cache") != std::string::npos;
        bool full = result.error().message.find("mempool is full") != std::string::npos;
        if (twice) return fail(ErrorCode::already_exists, "this very transaction was sent before");
        if (full) return fail(ErrorCode::exhausted, "too many transactions wait for a block; try again shortly");
        return std::unexpected(result.error());
    }
    const auto* object = result->if_object();
    const auto* code = object == nullptr ? nullptr : object->if_contains("code");
    if (code == nullptr || !code->is_int64())
        return fail(ErrorCode::unavailable, "the consensus engine's answer makes no sense");
    if (code->as_int64() == 0) return {};
    const auto* log = object->if_contains("log");
    auto known = std::min<std::int64_t>(code->as_int64() - 1, static_cast<std::int64_t>(ErrorCode::internal));
    return fail(static_cast<ErrorCode>(known),
                log != nullptr && log->is_string() ? std::string(log->as_string()) : "refused");
}

// A value deep in an answer; null where it is not there.
const json::value* find(const json::value& value, std::string_view pointer) {
    error_code error;
    return value.find_pointer(json::string_view(pointer.data(), pointer.size()), error);
}

}  // namespace

std::string_view to_string(ConsensusState state) {
    switch (state) {
        case ConsensusState::starting:
            return "starting";
        case ConsensusState::catching_up:
            return "catching up";
        case ConsensusState::running:
            return "running";
        case ConsensusState::failing:
            return "failing";
        case ConsensusState::stopped:
            return "stopped";
    }
    return "unknown";
}

class CometbftConsensus::Life : public std::enable_shared_from_this<Life> {
public:
    Life(asio::io_context& context, const committee::Genesis& genesis, const crypto::Identity& identity,
         committee::Store& store, const Clock& clock, CometbftOptions options, StateHandler on_state)
        : context_(context),
          genesis_(genesis),
          identity_(identity),
          store_(store),
          clock_(clock),
          options_(std::move(options)),
          on_state_(std::move(on_state)),
          timer_(context),
          grace_(context),
          backoff_(options_.shortest_backoff) {}

    ~Life() { destroy(); }

    void destroy() {
        on_state_ = {};
        wanted_ = false;
        timer_.cancel();
        grace_.cancel();
        child_.reset();
        server_.reset();
        rpc_.reset();
        std::error_code ignored;
        if (!socket_folder_.empty()) fs::remove_all(std::exchange(socket_folder_, {}), ignored);
    }

    Status run() {
        const auto* self = genesis_.find(identity_.id());
        if (self == nullptr || !self->consensus_address)
            return fail(ErrorCode::invalid_argument,
                        "the genesis does not name this node, " + identity_.id().hex() + ", among its validators");
        auto set = committee::consensus_validators(genesis_);
        if (!set) return std::unexpected(set.error());
        validators_ = *set;
        home_ = {fs::absolute(options_.home), fs::absolute(options_.home) / "abci.sock",
                 fs::absolute(options_.home) / "rpc.sock", options_.listen, options_.state_sync};
        if (!fits_socket(home_.abci_socket)) {
            socket_folder_ = make_socket_folder();
            home_.abci_socket = socket_folder_ / "abci.sock";
            home_.rpc_socket = socket_folder_ / "rpc.sock";
        }
        rpc_ = std::make_unique<CometbftRpc>(context_, home_.rpc_socket);
        // What is wrong from the beginning is told now; what goes wrong later is tried again.
        if (auto prepared = prepare_cometbft_home(genesis_, identity_, home_); !prepared) return prepared;
        auto application = Application::open(genesis_, store_);
        if (!application) return std::unexpected(application.error());
        application_ = std::move(*application);
        wanted_ = true;
        launch();
        return {};
    }

    void stop() {
        wanted_ = false;
        timer_.cancel();
        if (!child_) return stopped();
        change(ConsensusState::failing, "stopping");
        child_->signal(SIGTERM);
        grace_.expires_after(options_.stop_grace);
        grace_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && !self->wanted_ && self->child_) self->child_->signal(SIGKILL);
        });
    }

    void submit(ByteView transaction, Answer answer) {
        if (state_ != ConsensusState::running)
            return answer(fail(ErrorCode::unavailable,
                               "this verification node takes no transactions now: its "
                               "consensus engine is " +
                                   std::string(to_string(state_)) + (reason_.empty() ? "" : ", " + reason_)));
        if (transaction.size() > committee::maximum_transaction_size)
            return answer(fail(ErrorCode::invalid_argument, "a transaction of more than 16 KiB"));
        rpc_->call("broadcast_tx_sync", {{"tx", to_base64(transaction)}},
                   [answer = std::move(answer)](const Result<json::value>& result) { answer(answer_of(result)); });
    }

    const StateProofs& proofs() const { return proofs_; }
    const committee::Registry* registry() const { return application_ ? &application_->registry() : nullptr; }

    ConsensusStatus status() const {
        ConsensusStatus status{state_, reason_, child_ ? child_->pid() : 0, starts_, 0, {}, peers_, 0, 0};
        if (application_) {
            status.height = application_->registry().height();
            status.app_hash = application_->registry().app_hash();
            status.transactions = application_->transactions();
        }
        if (proofs_.header()) status.proven_height = proofs_.header()->height;
        return status;
    }

private:
    void change(ConsensusState state, std::string reason) {
        if (state_ == state && reason_ == reason) return;
        state_ = state;
        reason_ = std::move(reason);
        if (!on_state_) return;
        asio::post(context_, [weak = weak_from_this(), state, told = reason_] {
            auto self = weak.lock();
            if (!self || !self->on_state_) return;
            auto handler = self->on_state_;
            handler(state, told);
        });
    }

    void launch() {
        ++starts_;
        started_ = clock_.now();
        failures_ = 0;
        answered_ = false;
        peers_ = 0;
        change(ConsensusState::starting, starts_ == 1 ? "" : "again; it " + last_exit_);
        if (auto begun = begin(); !begun) end_pair("could not be started: " + begun.error().message);
    }

    Status begin() {
        put_log_by(options_.log);
        if (auto prepared = prepare_cometbft_home(genesis_, identity_, home_); !prepared) return prepared;
        // From what is kept: what was finalised and not committed is repeated.
        auto application = Application::open(genesis_, store_);
        if (!application) return std::unexpected(application.error());
        application_ = std::move(*application);
        application_->on_decided([this](std::int64_t height) {
            proofs_.on_decided(height, application_->registry(), clock_.now());
            newest_decided_ = height;
            fetch_proof();
        });
        server_ = std::make_unique<AbciServer>(
            context_, [this](const abci::Request& request) { return application_->handle(request, clock_.unix_now()); },
            [weak = weak_from_this()](const Error& error) {
                if (auto self = weak.lock()) self->end_pair("was stopped: the registry cannot go on: " + error.message);
            });
        if (auto listening = server_->listen(home_.abci_socket); !listening) return listening;
        std::error_code ignored;
        fs::remove(home_.rpc_socket, ignored);  // what one that was killed left
        auto child = ChildProcess::start(context_, {options_.program.string(), "start", "--home", home_.path.string()},
                                         options_.log, [weak = weak_from_this()](std::string how) {
                                             if (auto self = weak.lock()) self->on_exit(std::move(how));
                                         });
        if (!child) return std::unexpected(child.error());
        child_ = std::move(*child);
        poll_in(poll_starting);
        return {};
    }

    void on_exit(std::string how) {
        grace_.cancel();
        end_pair(std::move(how));
    }

    void end_pair(std::string how) {
        child_.reset();
        server_.reset();
        timer_.cancel();
        if (!wanted_) return stopped();
        // One that took part for a while is no proof that starting is vain.
        if (clock_.now() - started_ > options_.longest_backoff) backoff_ = options_.shortest_backoff;
        last_exit_ = std::move(how);
        change(ConsensusState::failing, "CometBFT " + last_exit_ + "; it will be started again");
        timer_.expires_after(backoff_);
        backoff_ = std::min(backoff_ * 2, options_.longest_backoff);
        timer_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && self->wanted_ && !self->child_) self->launch();
        });
    }

    void stopped() {
        server_.reset();
        change(ConsensusState::stopped, "");
    }

    void poll_in(Duration delay) {
        timer_.expires_after(delay);
        timer_.async_wait([weak = weak_from_this()](error_code error) {
            auto self = weak.lock();
            if (!error && self && self->wanted_ && self->child_) self->poll();
        });
    }

    // The RPC outlives a CometBFT, so its handlers may hear of an earlier one: those only set what the next poll sets
    // anew.
    void poll() {
        rpc_->call("status", {}, [weak = weak_from_this(), of = starts_](const Result<json::value>& result) {
            auto self = weak.lock();
            if (self && self->starts_ == of && self->child_) self->polled(result);
        });
        rpc_->call("net_info", {}, [weak = weak_from_this()](const Result<json::value>& result) {
            auto self = weak.lock();
            const auto* peers = self && result ? find(*result, "/n_peers") : nullptr;
            if (peers != nullptr && peers->is_string())
                self->peers_ = static_cast<std::size_t>(std::strtoul(peers->as_string().c_str(), nullptr, 10));
        });
    }

    void polled(const Result<json::value>& result) {
        const auto* catching_up = result ? find(*result, "/sync_info/catching_up") : nullptr;
        if (catching_up == nullptr || !catching_up->is_bool()) {
            if (answered_ && ++failures_ >= kill_after) return end_pair("did not answer and was killed");
            return poll_in(answered_ ? poll_running : poll_starting);
        }
        answered_ = true;
        failures_ = 0;
        if (catching_up->as_bool())
            change(ConsensusState::catching_up, "it gets the blocks it missed from the other validators");
        else
            change(ConsensusState::running, "");
        if (!proofs_.header() || proofs_.header()->app_hash != application_->registry().app_hash()) prove_newest();
        poll_in(state_ == ConsensusState::running ? poll_running : poll_starting);
    }

    // One header at a time; where blocks come faster, only the newest one's.
    void fetch_proof() {
        if (fetching_) return;
        fetching_ = newest_decided_;
        rpc_->call("commit", {{"height", std::to_string(*fetching_)}},
                   [weak = weak_from_this()](const Result<json::value>& result) {
                       auto self = weak.lock();
                       if (!self) return;
                       self->take_block(result);
                       if (*std::exchange(self->fetching_, std::nullopt) < self->newest_decided_) self->fetch_proof();
                   });
    }

    // After a start at rest: the newest header, where no block may come for a while.
    void prove_newest() {
        rpc_->call("commit", {}, [weak = weak_from_this()](const Result<json::value>& result) {
            auto self = weak.lock();
            if (!self || !result || !self->application_) return;
            auto block = light_block_from_json(*result, *self->validators_);
            if (!block) return;
            // Of this state it is the proof only if it names its hash.
            self->proofs_.on_decided(block->header.height, self->application_->registry(), self->clock_.now());
            self->proofs_.on_block(*block);
        });
    }

    void take_block(const Result<json::value>& result) {
        if (!result) return;  // it replays blocks before it answers
        if (auto block = light_block_from_json(*result, *validators_)) proofs_.on_block(*block);
    }

    asio::io_context& context_;
    const committee::Genesis& genesis_;
    const crypto::Identity& identity_;
    committee::Store& store_;
    const Clock& clock_;
    CometbftOptions options_;
    StateHandler on_state_;
    CometbftHome home_;
    fs::path socket_folder_;
    std::optional<lightclient::ValidatorSet> validators_;
    std::unique_ptr<Application> application_;
    std::unique_ptr<AbciServer> server_;
    std::unique_ptr<CometbftRpc> rpc_;
    std::unique_ptr<ChildProcess> child_;
    StateProofs proofs_;
    std::optional<std::int64_t> fetching_;
    std::int64_t newest_decided_ = 0;
    asio::steady_timer timer_;  // the next poll or the next launch
    asio::steady_timer grace_;
    ConsensusState state_ = ConsensusState::stopped;
    std::string reason_ = "not started";
    std::string last_exit_;
    std::uint64_t starts_ = 0;
    std::size_t peers_ = 0;
    unsigned failures_ = 0;
    Duration backoff_;
    Time started_{};
    bool answered_ = false;
    bool wanted_ = false;
};

CometbftConsensus::CometbftConsensus(asio::io_context& context, const committee::Genesis& genesis,
                                     const crypto::Identity& identity, committee::Store& store, const Clock& clock,
                                     CometbftOptions options, StateHandler on_state)
    : life_(std::make_shared<Life>(context, genesis, identity, store, clock, std::move(options), std::move(on_state))) {
}
CometbftConsensus::~CometbftConsensus() { life_->destroy(); }

Status CometbftConsensus::run() { return life_->run(); }
void CometbftConsensus::stop() { life_->stop(); }
void CometbftConsensus::submit(ByteView transaction, UnixTime, Answer answer) {
    life_->submit(transaction, std::move(answer));
}
Result<committee::StateHeader> CometbftConsensus::proof(UnixTime) {
    if (const auto& header = life_->proofs().header()) return *header;
    return fail(ErrorCode::unavailable, "this verification node has no list yet that its committee has signed");
}
Bytes CometbftConsensus::proven_state() const { return life_->proofs().state(); }
ConsensusStatus CometbftConsensus::status() const { return life_->status(); }

const committee::Registry* CometbftConsensus::registry() const { return life_->registry(); }

}  // namespace planetserve::adapters
