#include "local/launcher.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/files.h"
#include "base/words.h"
#include "committee/genesis.h"
#include "config/user_config.h"
#include "local/local_genesis.h"
#include "local/overview.h"
#include "local/ports.h"
#include "local/process.h"
#include "roles/home_lock.h"
#include "roles/run_file.h"

namespace planetserve::local {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::uint16_t default_port = 8400;
constexpr std::uint16_t ports_tried = 100;  // from the default one on
constexpr std::size_t usual_verifiers = 1;
constexpr std::size_t usual_users = 16;  // four paths of three relays that share none need 13
const std::size_t fewest_users = config::UserConfig{}.path_length + 1;
constexpr std::size_t usual_models = 3;
constexpr auto node_deadline = std::chrono::seconds(30);  // for a node to say where it listens
constexpr auto api_deadline = std::chrono::seconds(120);
constexpr auto start_poll = std::chrono::milliseconds(20);
constexpr auto api_poll = std::chrono::milliseconds(100);
constexpr int stop_grace_seconds = 10;

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

std::string common_config(const NetworkHome& home, const std::string& name, const std::string& listen) {
    return "# Written by planetserve up.\nhome: \"" + home.node(name).string() + "\"\ngenesis: \"" +
           home.genesis().string() + "\"\nlisten: \"" + listen + "\"\n";
}

std::string user_config(const NetworkHome& home, const std::string& name, std::uint16_t api_port) {
    std::string text = common_config(home, name, "127.0.0.1:0");
    if (api_port != 0) text += "api:\n  listen: \"localhost:" + std::to_string(api_port) + "\"\n";
    return text;
}

std::size_t count_of(const NetworkFile& network, std::string_view role) {
    return static_cast<std::size_t>(std::ranges::count(network.nodes, role, &NetworkNode::role));
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
    std::string text = common_config(home, name, "127.0.0.1:0") + "status:\n  listen: \"127.0.0.1:0\"\nmodels:\n";
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

Result<std::uint16_t> choose_port(const LaunchOptions& options, const std::optional<NetworkFile>& existing) {
    if (options.port) {
        if (port_is_free(*options.port)) return *options.port;
        return fail(ErrorCode::unavailable,
                    "port " + std::to_string(*options.port) + " is in use; choose another with --port");
    }
    if (existing && port_is_free(existing->api_port)) return existing->api_port;
    for (std::uint16_t port = default_port; port < default_port + ports_tried; ++port)
        if (port_is_free(port)) return port;
    return free_port();
}

std::string last_line_of(const fs::path& log) {
    std::ifstream in(log);
    std::string line, last;
    while (std::getline(in, line))
        if (!line.empty()) last = line;
    return last;
}

// Starts those nodes of a role that do not run, and waits until each has said where it listens.
Status start_role(const NetworkHome& home, const NetworkFile& network, const std::string& role) {
    const std::string program = own_program().string();
    std::vector<std::pair<std::string, pid_t>> waiting;
    for (const NetworkNode& node : network.nodes) {
        if (node.role != role || roles::running_node(home.node(node.name))) continue;
        // An earlier launch was ended while this one started.
        if (auto starting = roles::home_holder(home.node(node.name))) {
            waiting.emplace_back(node.name, *starting);
            continue;
        }
        auto pid = start_detached({program, role, "--config", home.config(node.name).string()}, home.log(node.name));
        if (!pid) return std::unexpected(pid.error());
        waiting.emplace_back(node.name, *pid);
    }
    const auto end = std::chrono::steady_clock::now() + node_deadline;
    while (!waiting.empty()) {
        std::string ended;
        std::erase_if(waiting, [&](const auto& item) {
            if (roles::running_node(home.node(item.first))) return true;
            if (!process_runs(item.second)) ended = item.first;
            return false;
        });
        if (!ended.empty())
            return fail(ErrorCode::unavailable, ended + " ended at once: " + last_line_of(home.log(ended)));
        if (std::chrono::steady_clock::now() > end)
            return fail(ErrorCode::timed_out,
                        waiting.front().first + " (process " + std::to_string(waiting.front().second) +
                            ") does not say where it listens; see " + home.log(waiting.front().first).string());
        std::this_thread::sleep_for(start_poll);
    }
    return {};
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

// By its run file; by the lock of its home where that file is missing.
std::optional<pid_t> process_of(const fs::path& node_home) {
    auto run = roles::running_node(node_home);
    const auto pid = run ? std::optional(run->pid) : roles::home_holder(node_home);
    return pid && *pid > 0 ? pid : std::nullopt;  // 0: a process of another container
}

// Stops those of these nodes that run. Users first, then the model nodes they ask, then the directory. Returns how
// many.
std::size_t stop_nodes(const NetworkHome& home, std::vector<std::string> names, Steps& steps) {
    auto turn = [](const std::string& name) {
        return std::pair(name.starts_with("user") ? 0 : name.starts_with("model") ? 1 : 2, name);
    };
    std::ranges::sort(names, {}, turn);
    std::vector<pid_t> pids;
    for (const std::string& name : names)
        if (auto pid = process_of(home.node(name))) pids.push_back(*pid);
    if (pids.empty()) return 0;
    steps.begin("stop " + counted(pids.size(), "node", "nodes"));
    const std::size_t forced = stop_processes(pids, stop_grace_seconds);
    steps.end(Steps::Outcome::done, forced == 0 ? "" : std::to_string(forced) + " had to be killed");
    return pids.size();
}

// Stops the nodes that are no longer part of the network, where it shrinks.
void stop_others(const NetworkHome& home, const NetworkFile& before, const NetworkFile& network, Steps& steps) {
    std::vector<std::string> gone;
    for (const NetworkNode& node : before.nodes)
        if (std::ranges::find(network.nodes, node.name, &NetworkNode::name) == network.nodes.end())
            gone.push_back(node.name);
    stop_nodes(home, std::move(gone), steps);
}

// Only one launch or stop at a time works on a home.
Result<roles::HomeLock> lock_network(const NetworkHome& home) {
    auto lock = roles::HomeLock::take(home.path());
    if (!lock && lock.error().code == ErrorCode::already_exists)
        return fail(ErrorCode::already_exists,
                    lock.error().message + ", another 'planetserve up' or 'down' of this network; wait until it ends");
    return lock;
}

// The first node that does not run any more.
std::optional<std::string> ended_node(const json::object& overview) {
    for (const auto& node : overview.at("nodes").as_array())
        if (node.at("state").as_string() != "running") return std::string(node.at("name").as_string());
    return std::nullopt;
}

// Waits until the API is ready and every model node is listed, so that each model can be asked for. An error says what
// was missing last; at once where a node ended.
Status wait_for_api(const NetworkHome& home, std::size_t model_nodes, Steps& steps) {
    const auto end = std::chrono::steady_clock::now() + api_deadline;
    std::string missing = "the API does not answer";
    while (std::chrono::steady_clock::now() < end) {
        if (auto all = overview(home)) {
            const std::size_t listed = all->at("model_nodes").as_array().size();
            const bool ready = all->at("ready").as_bool();
            if (ready && listed >= model_nodes) return {};
            if (auto ended = ended_node(*all))
                return fail(ErrorCode::unavailable, *ended + " ended: " + last_line_of(home.log(*ended)));
            missing =
                ready ? std::to_string(listed) + " of " + counted(model_nodes, "model node", "model nodes") + " listed"
                      : std::string(all->at("reason").as_string());
            steps.progress(missing);
        }
        std::this_thread::sleep_for(api_poll);
    }
    return fail(ErrorCode::timed_out, missing);
}

bool api_runs(const NetworkHome& home, const NetworkFile& network) {
    return std::ranges::any_of(network.nodes, [&](const NetworkNode& node) {
        auto run = node.role == "user" ? roles::running_node(home.node(node.name)) : std::nullopt;
        return run && !run->api.empty();
    });
}

Status make_home(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return fail(ErrorCode::io, "cannot create " + path.string() + ": " + error.message());
    fs::permissions(path, fs::perms::owner_all, error);
    return {};
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
    auto port = running ? Result<std::uint16_t>(existing->api_port) : choose_port(options, existing);
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

Status start_nodes(const NetworkHome& home, const NetworkFile& network, Steps& steps) {
    for (const char* role : {"verifier", "user", "model"}) {
        const std::string noun = std::string(role) + " node";
        steps.begin(counted(count_of(network, role), noun, noun + "s"));
        auto started = start_role(home, network, role);
        steps.end(started ? Steps::Outcome::done : Steps::Outcome::failed, started ? "" : started.error().message);
        if (!started) return started;
    }
    return {};
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
    }
    auto network = plan_network(home, options, existing);
    if (!network) return network;
    if (auto written = write_network(home, options, *network); !written) return std::unexpected(written.error());
    if (existing) stop_others(home, *existing, *network, steps);
    if (auto started = start_nodes(home, *network, steps); !started) return std::unexpected(started.error());
    steps.begin("paths, models, API");
    if (auto ready = wait_for_api(home, count_of(*network, "model"), steps); !ready) {
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

bool has_committee(const NetworkHome& home) {
    auto text = read_file(home.genesis());
    auto genesis = text ? committee::Genesis::parse(*text) : std::unexpected(text.error());
    return genesis && genesis->is_committee();
}

}  // namespace planetserve::local
