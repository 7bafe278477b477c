#include "local/launcher.h"

#include <algorithm>
#include <thread>

#include "base/files.h"
#include "base/words.h"
#include "config/user_config.h"
#include "local/home_nodes.h"
#include "local/local_genesis.h"

namespace planetserve::local {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t usual_verifiers = 1;
constexpr std::size_t usual_users = 16;  // four paths of three relays that share none need 13
const std::size_t fewest_users = config::UserConfig{}.path_length + 1;
constexpr std::size_t usual_models = 3;

// At least two nodes of the default network serve each model, so that one may fail.
constexpr const char* second_model = "smollm2-135m-instruct-q8_0";

std::vector<std::string> models_of(std::size_t node) {
    switch (node % 3) {
        case 0:
            return {first_model};
        case 1:
            return {second_model};
        default:
            return {first_model, second_model};
    }
}

std::string user_config(const NetworkHome& home, const std::string& name, std::uint16_t api_port) {
    std::string text = home.config_head(name, "planetserve up", "127.0.0.1:0");
    if (api_port != 0) text += "api:\n  listen: \"localhost:" + std::to_string(api_port) + "\"\n";
    return text;
}

// The threads of an engine wait for each other by spinning, so engines that each take all cores stall each other.
std::size_t threads_of_an_engine(const NetworkFile& network) {
    if (network.engine_threads != 0) return network.engine_threads;
    const std::size_t model_nodes = count_of(network, "model");
    std::size_t engines = 0;
    for (std::size_t node = 0; node < model_nodes; ++node) engines += models_of(node).size();
    return std::max<std::size_t>(1, std::thread::hardware_concurrency() / std::max<std::size_t>(1, engines));
}

std::string model_config(const NetworkHome& home, const std::string& name, std::size_t number, std::size_t threads) {
    std::string text =
        home.config_head(name, "planetserve up", "127.0.0.1:0") + "status:\n  listen: \"127.0.0.1:0\"\nmodels:\n";
    for (const std::string& model : models_of(number))
        text += "  - name: " + model + "\n    catalogue: " + model +
                "\n    slots: 4\n    context: 4096\n    threads: " + std::to_string(threads) + "\n";
    return text;
}

NetworkFile plan(const LaunchOptions& options, const std::optional<NetworkFile>& existing, std::uint16_t port) {
    NetworkFile network{port, {}, options.threads.value_or(existing ? existing->engine_threads : 0)};
    auto add = [&](const std::string& role, const std::optional<std::size_t>& asked, std::size_t usual) {
        const std::size_t many = asked ? *asked : existing ? count_of(*existing, role) : usual;
        for (std::size_t i = 1; i <= many; ++i) network.nodes.push_back({role + "-" + std::to_string(i), role});
    };
    add("verifier", options.verifiers, usual_verifiers);
    add("user", options.users, usual_users);
    add("model", options.models, usual_models);
    return network;
}

// Those of verification nodes are written with the genesis, which holds their addresses.
Status write_configs(const NetworkHome& home, const NetworkFile& network) {
    const std::size_t threads = threads_of_an_engine(network);
    std::size_t models = 0;
    bool api_given = false;
    for (const NetworkNode& node : network.nodes) {
        std::string text;
        if (node.role == "user") {
            text = user_config(home, node.name, api_given ? 0 : network.api_port);
            api_given = true;
        } else if (node.role == "model") {
            text = model_config(home, node.name, models++, threads);
        } else {
            continue;
        }
        if (auto written = write_file(home.config(node.name), text); !written) return written;
    }
    return home.save(network);
}

// Stops the nodes that are no longer part of the network, where it shrinks.
void stop_others(const NetworkHome& home, const NetworkFile& before, const NetworkFile& network, Steps& steps) {
    std::vector<std::string> gone;
    for (const NetworkNode& node : before.nodes)
        if (std::ranges::find(network.nodes, node.name, &NetworkNode::name) == network.nodes.end())
            gone.push_back(node.name);
    stop_nodes(home, std::move(gone), steps);
}

// What is to run, given what the home holds already.
Result<NetworkFile> plan_network(const NetworkHome& home, const LaunchOptions& options,
                                 const std::optional<NetworkFile>& existing) {
    const std::string path = home.path().string();
    // A second launch of a network that runs only starts what is missing.
    const bool running = existing && api_runs(home, *existing);
    if (running && options.port && *options.port != existing->api_port)
        return fail(ErrorCode::already_exists, "this network's API already runs on port " +
                                                   std::to_string(existing->api_port) +
                                                   "; stop it first: planetserve down --home " + path);
    auto port = running ? Result<std::uint16_t>(existing->api_port) : choose_port(options.port, existing);
    if (!port) return std::unexpected(port.error());
    NetworkFile network = plan(options, existing, *port);
    if (const std::size_t users = count_of(network, "user"); users < fewest_users)
        return fail(ErrorCode::invalid_argument,
                    counted(users, "user node", "user nodes") + " cannot make a path: it has " +
                        std::to_string(fewest_users - 1) +
                        " relays besides the node that asks, so --users must be at least " +
                        std::to_string(fewest_users));
    if (existing && count_of(*existing, "verifier") != count_of(network, "verifier"))
        return fail(ErrorCode::already_exists,
                    "the genesis of " + path + " names " +
                        counted(count_of(*existing, "verifier"), "verification node", "verification nodes") +
                        ", and a genesis never changes; use another --home for another committee");
    return network;
}

Status write_network(const NetworkHome& home, const LaunchOptions& options, const NetworkFile& network) {
    std::optional<LocalVerification> verification;
    if (options.verify.value_or(count_of(network, "verifier") > 1))
        verification = {verification_of_epoch(options.epoch_seconds), {first_model, second_model}};
    if (auto made = ensure_local_genesis(home, network, verification); !made) return made;
    return write_configs(home, network);
}

}  // namespace

Result<NetworkFile> launch(const LaunchOptions& options, Steps& steps) {
    const NetworkHome home(options.home);
    if (auto made = make_home(home.path()); !made) return std::unexpected(made.error());
    auto lock = lock_network(home);
    if (!lock) return std::unexpected(lock.error());
    std::optional<NetworkFile> existing;
    if (home.exists()) {
        auto loaded = home.load();
        if (!loaded) return loaded;
        existing = *loaded;
        if (existing->joined_as)
            return fail(ErrorCode::already_exists,
                        home.path().string() + " is of a node in the network " + existing->joined_as->network +
                            ", which others founded; start that node with: planetserve join --home " +
                            home.path().string() + ", or use another --home for a network of your own");
    }
    auto network = plan_network(home, options, existing);
    if (!network) return network;
    if (auto written = write_network(home, options, *network); !written) return std::unexpected(written.error());
    if (existing) stop_others(home, *existing, *network, steps);
    if (auto started = start_nodes(home, *network, steps); !started) return std::unexpected(started.error());
    steps.begin("paths, models, API");
    if (auto ready = wait_for_api(home, {.model_nodes = count_of(*network, "model"), .registered = false}, steps);
        !ready) {
        steps.end(Steps::Outcome::failed, ready.error().message);
        return fail(ready.error().code,
                    "the API does not become ready; run: planetserve doctor --home " + home.path().string());
    }
    steps.end(Steps::Outcome::done, "http://127.0.0.1:" + std::to_string(network->api_port));
    return network;
}

Result<std::size_t> stop(const NetworkHome& home, Steps& steps) {
    if (auto network = home.load(); !network && !fs::exists(home.nodes())) return std::unexpected(network.error());
    auto lock = lock_network(home);
    if (!lock) return std::unexpected(lock.error());
    std::vector<std::string> names;
    std::error_code error;
    for (const auto& folder : fs::directory_iterator(home.nodes(), error))
        names.push_back(folder.path().filename().string());
    return stop_nodes(home, std::move(names), steps);
}

}  // namespace planetserve::local
