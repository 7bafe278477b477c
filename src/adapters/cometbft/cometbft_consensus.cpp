#include "adapters/cometbft/cometbft_consensus.h"

#include <boost/asio/post.hpp>

#include "adapters/cometbft/abci_server.h"
#include "adapters/cometbft/cometbft_home.h"
#include "adapters/cometbft/cometbft_rpc.h"
#include "adapters/process/program_files.h"
#include "adapters/process/supervisor.h"
#include "base/lifetime.h"
#include "committee/header_verifier.h"
#include "consensus/abci.pb.h"
#include "consensus/application.h"
#include "consensus/commit_json.h"
#include "consensus/state_proofs.h"
#include "crypto/base64.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr Duration probe_running = 2s;
// Each probe without an answer takes the 5 s that a call has.
constexpr unsigned kill_after = 6;

// CometBFT may repeat blocks for hours before it answers, so its start has no deadline. The RPC answers each probe:
// when many transactions wait, a probe waits behind them and says nothing about CometBFT.
SupervisionLimits limits_of(const CometbftOptions& options) {
    return {.probe_serving = probe_running,
            .probe_deadline = std::nullopt,
            .unresponsive_after = kill_after,
            .kill_after = kill_after,
            .stop_grace = options.stop_grace,
            .shortest_backoff = options.shortest_backoff,
            .longest_backoff = options.longest_backoff};
}

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

// A value inside an answer; null when there is none.
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

class CometbftConsensus::Pair final : private SupervisedProgram {
public:
    Pair(asio::io_context& context, const committee::Genesis& genesis, const crypto::Identity& identity,
         committee::Store& store, const Clock& clock, CometbftOptions options, StateHandler on_state)
        : context_(context),
          genesis_(genesis),
          identity_(identity),
          store_(store),
          clock_(clock),
          options_(std::move(options)),
          on_state_(std::move(on_state)),
          supervisor_(std::make_unique<Supervisor>(context, clock, limits_of(options_),
                                                   static_cast<SupervisedProgram&>(*this))) {}

    ~Pair() override {
        supervisor_.reset();  // CometBFT is gone before its sockets are
        server_.reset();
        rpc_.reset();
        std::error_code ignored;
        if (!socket_folder_.empty()) fs::remove_all(socket_folder_, ignored);
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
        // Faults of the set-up are told now. Later faults are retried.
        if (auto opened = open(); !opened) return opened;
        supervisor_->run();
        return {};
    }

    void stop() {
        supervisor_->stop();
        if (supervisor_->state() == Supervision::State::stopped) change(ConsensusState::stopped, "");
    }

    void submit(ByteView transaction, Answer answer) {
        if (state_ != ConsensusState::running) {
            std::string state(to_string(state_));
            if (!reason_.empty()) state += ", " + reason_;
            return answer(fail(ErrorCode::unavailable,
                               "this verification node takes no transactions now: its consensus engine is " + state));
        }
        if (transaction.size() > committee::maximum_transaction_size)
            return answer(fail(ErrorCode::invalid_argument, "a transaction of more than 16 KiB"));
        rpc_->call("broadcast_tx_sync", {{"tx", crypto::to_base64(transaction)}},
                   [answer = std::move(answer)](const Result<json::value>& result) { answer(answer_of(result)); });
    }

    const consensus::StateProofs& proofs() const { return proofs_; }
    const committee::Registry* registry() const { return application_ ? &application_->registry() : nullptr; }

    ConsensusStatus status() const {
        ConsensusStatus status{.state = state_,
                               .reason = reason_,
                               .pid = supervisor_->pid(),
                               .starts = supervisor_->launches(),
                               .peers = peers_};
        if (application_) {
            status.height = application_->registry().height();
            status.app_hash = application_->registry().app_hash();
            status.transactions = application_->transactions();
        }
        if (proofs_.header()) status.proven_height = proofs_.header()->height;
        return status;
    }

private:
    // The handler may destroy this, so it is called from the io_context.
    void change(ConsensusState state, std::string reason) {
        if (state_ == state && reason_ == reason) return;
        state_ = state;
        reason_ = std::move(reason);
        if (!on_state_) return;
        asio::post(context_, [this, owner = lifetime_.watch(), state, told = reason_] {
            if (owner.gone()) return;
            auto handler = on_state_;
            handler(state, told);
        });
    }

    void on_state(Supervision::State state) override {
        using State = Supervision::State;
        switch (state) {
            case State::starting:
                return change(ConsensusState::starting,
                              supervisor_->launches() == 1 ? "" : "again; it " + supervisor_->last_end());
            case State::catching_up:
                return change(ConsensusState::catching_up, "it gets the blocks it missed from the other validators");
            case State::serving:
                return change(ConsensusState::running, "");
            case State::unresponsive:
                return change(ConsensusState::failing, "CometBFT does not answer");
            case State::waiting:
                return change(ConsensusState::failing,
                              "CometBFT " + supervisor_->last_end() + "; it will be started again");
            case State::stopping:
                return change(ConsensusState::failing, "stopping");
            case State::stopped:
                return change(ConsensusState::stopped, "");
        }
    }

    // Prepares the home, and opens the application on its store. CometBFT repeats a block that was finalised and not
    // committed.
    Status open() {
        if (auto prepared = prepare_cometbft_home(genesis_, identity_, home_); !prepared) return prepared;
        auto application = consensus::Application::open(genesis_, store_);
        if (!application) return std::unexpected(application.error());
        application_ = std::move(*application);
        application_->on_decided([this](std::int64_t height) {
            proofs_.on_decided(height, application_->registry(), clock_.now());
            newest_decided_ = height;
            fetch_proof();
        });
        return {};
    }

    Result<ProgramCommand> prepare() override {
        peers_ = 0;
        if (auto opened = open(); !opened) return std::unexpected(opened.error());
        server_ = std::make_unique<AbciServer>(
            context_, [this](const abci::Request& request) { return application_->handle(request, clock_.unix_now()); },
            [this, owner = lifetime_.watch()](const Error& error) {
                if (!owner.gone()) supervisor_->fail("was stopped: the registry cannot go on: " + error.message);
            });
        if (auto listening = server_->listen(home_.abci_socket); !listening) return std::unexpected(listening.error());
        std::error_code ignored;
        fs::remove(home_.rpc_socket, ignored);  // a CometBFT that was killed leaves it
        return ProgramCommand{{options_.program.string(), "start", "--home", home_.path.string()}, options_.log};
    }

    void clean_up() override { server_.reset(); }
    std::string late_words() const override { return "did not answer in time after its start"; }
    std::string unresponsive_words() const override { return "did not answer"; }

    // The RPC outlives a CometBFT, so an answer may come from an earlier one. The supervisor ignores such an answer,
    // and the next probe asks for the number of peers again.
    void probe(AnswerProbe answer) override {
        auto of = supervisor_->launches();
        rpc_->call(
            "status", {},
            [this, owner = lifetime_.watch(), of, answer = std::move(answer)](const Result<json::value>& result) {
                if (owner.gone() || supervisor_->launches() != of) return;
                answer(probe_answer_of(result));
                if (supervisor_->pid() != 0 && result) prove_newest_if_needed();
            });
        rpc_->call("net_info", {}, [this, owner = lifetime_.watch()](const Result<json::value>& result) {
            if (owner.gone()) return;
            const auto* peers = result ? find(*result, "/n_peers") : nullptr;
            if (peers != nullptr && peers->is_string())
                peers_ = static_cast<std::size_t>(std::strtoul(peers->as_string().c_str(), nullptr, 10));
        });
    }

    static ProbeAnswer probe_answer_of(const Result<json::value>& result) {
        const auto* catching_up = result ? find(*result, "/sync_info/catching_up") : nullptr;
        if (catching_up == nullptr || !catching_up->is_bool()) return ProbeAnswer::failed;
        return catching_up->as_bool() ? ProbeAnswer::catching_up : ProbeAnswer::serving;
    }

    // Fetches one header at a time. Where blocks come faster, it fetches the newest one's only.
    void fetch_proof() {
        if (fetching_) return;
        fetching_ = newest_decided_;
        rpc_->call("commit", {{"height", std::to_string(*fetching_)}},
                   [this, owner = lifetime_.watch()](const Result<json::value>& result) {
                       if (owner.gone()) return;
                       take_block(result);
                       if (*std::exchange(fetching_, std::nullopt) < newest_decided_) fetch_proof();
                   });
    }

    // After a start at rest no block may come for a while: the newest header proves the state.
    void prove_newest_if_needed() {
        if (proofs_.header() && proofs_.header()->app_hash == application_->registry().app_hash()) return;
        rpc_->call("commit", {}, [this, owner = lifetime_.watch()](const Result<json::value>& result) {
            if (owner.gone() || !result) return;
            auto block = consensus::light_block_from_json(*result, *validators_);
            if (!block) return;
            // It proves this state only if it names its hash.
            proofs_.on_decided(block->header.height, application_->registry(), clock_.now());
            proofs_.on_block(*block);
        });
    }

    void take_block(const Result<json::value>& result) {
        if (!result) return;  // CometBFT repeats blocks before it answers
        if (auto block = consensus::light_block_from_json(*result, *validators_)) proofs_.on_block(*block);
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
    std::unique_ptr<consensus::Application> application_;
    std::unique_ptr<AbciServer> server_;
    std::unique_ptr<CometbftRpc> rpc_;
    consensus::StateProofs proofs_;
    std::optional<std::int64_t> fetching_;
    std::int64_t newest_decided_ = 0;
    ConsensusState state_ = ConsensusState::stopped;
    std::string reason_ = "not started";
    std::size_t peers_ = 0;
    std::unique_ptr<Supervisor> supervisor_;
    Lifetime lifetime_;
};

CometbftConsensus::CometbftConsensus(asio::io_context& context, const committee::Genesis& genesis,
                                     const crypto::Identity& identity, committee::Store& store, const Clock& clock,
                                     CometbftOptions options, StateHandler on_state)
    : pair_(std::make_unique<Pair>(context, genesis, identity, store, clock, std::move(options), std::move(on_state))) {
}
CometbftConsensus::~CometbftConsensus() = default;

Status CometbftConsensus::run() { return pair_->run(); }
void CometbftConsensus::stop() { pair_->stop(); }
void CometbftConsensus::submit(ByteView transaction, UnixTime, Answer answer) {
    pair_->submit(transaction, std::move(answer));
}
Result<committee::StateHeader> CometbftConsensus::proof(UnixTime) {
    if (const auto& header = pair_->proofs().header()) return *header;
    return fail(ErrorCode::unavailable, "this verification node has no list yet that its committee has signed");
}
Bytes CometbftConsensus::proven_state() const { return pair_->proofs().state(); }
ConsensusStatus CometbftConsensus::status() const { return pair_->status(); }

const committee::Registry* CometbftConsensus::registry() const { return pair_->registry(); }

}  // namespace planetserve::adapters
