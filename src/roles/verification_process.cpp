#include "roles/node_processes.h"

#include <prometheus/registry.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

#include "adapters/storage/sqlite_store.h"
#include "roles/reload.h"
#include "roles/status_endpoint.h"
#include "roles/verification_node_role.h"

namespace planetserve::roles {

namespace fs = std::filesystem;

namespace {

Result<fs::path> find_cometbft(const config::VerifierConfig& config) {
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

// Where the configuration says; else the genesis's address where that is an IP address; else all addresses.
Endpoint consensus_listen(const config::VerifierConfig& config, const Endpoint& in_genesis) {
    if (config.consensus_listen) return *config.consensus_listen;
    boost::system::error_code error;
    boost::asio::ip::make_address(in_genesis.host, error);
    return error ? Endpoint{"0.0.0.0", in_genesis.port} : in_genesis;
}

Status run_role(const config::VerifierConfig& config, Runtime& runtime, VerificationNodeRole& role,
                Runtime::OnStop on_stop) {
    prometheus::Registry metrics;
    std::unique_ptr<StatusEndpoint> endpoint;
    if (config.status_listen) {
        auto opened = StatusEndpoint::open(*config.status_listen, runtime, role, metrics);
        if (!opened) return std::unexpected(opened.error());
        endpoint = std::move(*opened);
    }
    Reload reload(config.common.file, {"log_level"},
                  Reload::take_log_level(config.common.file, config::load_verifier_config));
    runtime.on_hang_up([&reload] { reload.run(); });
    runtime.attach(role, std::nullopt);
    runtime.run(StatusEndpoint::service(endpoint.get()), std::move(on_stop));
    return {};
}

Status add_agent(const config::VerifierConfig& config, Runtime& runtime, VerificationNodeRole& role,
                 committee::ConsensusEngine& engine, VerificationAgentHost::ReadRegistry registry) {
    if (!runtime.genesis().parameters.verification) return {};
    auto made = VerificationAgentHost::make(runtime, config, engine, std::move(registry));
    if (!made) return std::unexpected(made.error());
    role.host_agent(std::move(*made));
    return {};
}

Status run_alone(const config::VerifierConfig& config, Runtime& runtime, committee::Store& store) {
    auto engine = committee::EmbeddedConsensus::open(runtime.genesis(), runtime.keys().identity, store);
    if (!engine) return std::unexpected(engine.error());
    LoneVerificationNode role(runtime, **engine);
    if (auto added = add_agent(config, runtime, role, **engine, [&engine] { return &(*engine)->registry(); }); !added)
        return std::unexpected(added.error());
    return run_role(config, runtime, role, [](const std::function<void()>& finished) { finished(); });
}

Status run_in_committee(const config::VerifierConfig& config, Runtime& runtime, committee::Store& store) {
    const auto* self = runtime.genesis().find(runtime.keys().identity.id());
    if (self == nullptr)
        return fail(ErrorCode::not_found, "the genesis does not name this node, " + runtime.keys().identity.id().hex() +
                                              ", among its validators");
    auto program = find_cometbft(config);
    if (!program) return std::unexpected(program.error());
    adapters::CometbftOptions options;
    options.program = *program;
    options.home = runtime.home() / "consensus";
    options.log = runtime.home() / "consensus.log";
    options.listen = consensus_listen(config, *self->consensus_address);
    if (config.state_sync)
        options.state_sync = {config.state_sync->servers, config.state_sync->height, config.state_sync->hash};
    std::function<void()> when_stopped;
    adapters::CometbftConsensus engine(
        runtime.context(), runtime.genesis(), runtime.keys().identity, store, runtime.clock(), options,
        [&](adapters::ConsensusState state, const std::string& reason) {
            spdlog::info("consensus engine: {}{}{}", adapters::to_string(state), reason.empty() ? "" : ": ", reason);
            if (state == adapters::ConsensusState::stopped && when_stopped) when_stopped();
        });
    if (auto running = engine.run(); !running) return std::unexpected(running.error());
    CommitteeVerificationNode role(runtime, engine);
    if (auto added = add_agent(config, runtime, role, engine, [&engine] { return engine.registry(); }); !added)
        return std::unexpected(added.error());
    return run_role(config, runtime, role, [&](std::function<void()> finished) {
        when_stopped = std::move(finished);
        engine.stop();
    });
}

}  // namespace

Status run_verification_node(const config::VerifierConfig& config) {
    Runtime runtime(config.common, verification_node);
    const bool in_committee = runtime.genesis().is_committee();
    auto store = adapters::SqliteStore::open(
        runtime.home() / "registry.sqlite",
        in_committee ? adapters::Durability::whole_blocks : adapters::Durability::every_block);
    if (!store) return std::unexpected(store.error());
    return in_committee ? run_in_committee(config, runtime, **store) : run_alone(config, runtime, **store);
}

}  // namespace planetserve::roles
