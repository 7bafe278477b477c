// `planetserve verifier`: the directory of a network, by itself or as one of a committee. The genesis says which.

#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "adapters/storage/sqlite_store.h"
#include "apps/commands.h"
#include "apps/status_endpoint.h"
#include "apps/terminal.h"
#include "apps/verifier_role.h"

namespace planetserve::apps {

namespace fs = std::filesystem;

namespace {

Result<fs::path> find_cometbft(const VerifierConfig& config) {
    const char* told = std::getenv("PLANETSERVE_COMETBFT");
    std::vector<fs::path> places;
    if (config.consensus_program) {
        places = {*config.consensus_program};
    } else {
        if (told != nullptr && *told != 0) places.emplace_back(told);
        const char* path = std::getenv("PATH");
        std::istringstream folders(path == nullptr ? "" : path);
        for (std::string folder; std::getline(folders, folder, ':');) places.push_back(fs::path(folder) / "cometbft");
    }
    for (const fs::path& place : places)
        if (::access(place.c_str(), X_OK) == 0 && !fs::is_directory(place)) return fs::absolute(place);
    bool named = config.consensus_program || (told != nullptr && *told != 0);
    return fail(
        ErrorCode::not_found,
        "a committee needs CometBFT 0.38, and there is none " +
            (named ? "at " + places.front().string() : std::string("in PATH")) +
            "; run ./planetserve verifier, which builds it, or set 'consensus.program' or PLANETSERVE_COMETBFT");
}

// Where the configuration says; else the genesis's address where that is a number, else all addresses.
Endpoint consensus_listen(const VerifierConfig& config, const Endpoint& in_genesis) {
    if (config.consensus_listen) return *config.consensus_listen;
    boost::system::error_code error;
    boost::asio::ip::make_address(in_genesis.host, error);
    return error ? Endpoint{"0.0.0.0", in_genesis.port} : in_genesis;
}

int run_role(const VerifierConfig& config, Runtime& runtime, VerifierRole& role,
             std::function<void(std::function<void()>)> on_stop) {
    prometheus::Registry metrics;
    std::unique_ptr<StatusEndpoint> endpoint;
    if (config.status_listen) {
        auto opened = StatusEndpoint::open(*config.status_listen, runtime, role, metrics);
        if (!opened) return error_exit(opened.error().message);
        endpoint = std::move(*opened);
    }
    runtime.attach(role, std::nullopt);
    return runtime.run(endpoint ? endpoint->url() : "", std::move(on_stop));
}

Status verify(const VerifierConfig& config, Runtime& runtime, VerifierRole& role, committee::ConsensusEngine& engine,
              VerificationRole::ReadRegistry registry) {
    if (!runtime.genesis().parameters.verification) return {};
    auto made = VerificationRole::make(runtime, config, engine, std::move(registry));
    if (!made) return std::unexpected(made.error());
    role.verify(std::move(*made));
    return {};
}

int run_alone(const VerifierConfig& config, Runtime& runtime, committee::Store& store) {
    auto engine = committee::EmbeddedConsensus::open(runtime.genesis(), runtime.keys().identity, store);
    if (!engine) return error_exit(engine.error().message);
    EmbeddedVerifier role(runtime, **engine);
    if (auto verified = verify(config, runtime, role, **engine, [&engine] { return &(*engine)->registry(); });
        !verified)
        return error_exit(verified.error().message);
    return run_role(config, runtime, role, [](const std::function<void()>& finished) { finished(); });
}

int run_in_committee(const VerifierConfig& config, Runtime& runtime, committee::Store& store) {
    const auto* self = runtime.genesis().find(runtime.keys().identity.id());
    if (self == nullptr)
        return error_exit("the genesis does not name this node, " + runtime.keys().identity.id().hex() +
                          ", among its validators");
    auto program = find_cometbft(config);
    if (!program) return error_exit(program.error().message);
    adapters::CometbftOptions options;
    options.program = *program;
    options.home = runtime.home() / "consensus";
    options.log = runtime.home() / "consensus.log";
    options.listen = consensus_listen(config, *self->consensus_address);
    options.state_sync = config.state_sync;
    std::function<void()> when_stopped;
    adapters::CometbftConsensus engine(
        runtime.context(), runtime.genesis(), runtime.keys().identity, store, runtime.clock(), options,
        [&](adapters::ConsensusState state, const std::string& reason) {
            spdlog::info("consensus engine: {}{}{}", adapters::to_string(state), reason.empty() ? "" : ": ", reason);
            if (state == adapters::ConsensusState::stopped && when_stopped) when_stopped();
        });
    if (auto running = engine.run(); !running) return error_exit(running.error().message);
    CommitteeVerifier role(runtime, engine);
    if (auto verified = verify(config, runtime, role, engine, [&engine] { return engine.registry(); }); !verified)
        return error_exit(verified.error().message);
    return run_role(config, runtime, role, [&](std::function<void()> finished) {
        when_stopped = std::move(finished);
        engine.stop();
    });
}

}  // namespace

int run_verifier(const fs::path& file) {
    auto config = load_verifier_config(file);
    if (!config) return error_exit(config.error().message);
    Runtime runtime(config->common, wire::Role::verifier);
    auto store = adapters::SqliteStore::open(
        runtime.home() / "registry.sqlite",
        runtime.genesis().is_committee() ? adapters::Durability::whole_blocks : adapters::Durability::every_block);
    if (!store) return error_exit(store.error().message);
    return runtime.genesis().is_committee() ? run_in_committee(*config, runtime, **store)
                                            : run_alone(*config, runtime, **store);
}

}  // namespace planetserve::apps
