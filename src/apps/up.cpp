// `planetserve up`: a whole network of real processes on this machine. It only writes each node's configuration and
// starts the role as an operator would; nothing here is known to the nodes.

#include <algorithm>
#include <fstream>
#include <iostream>
#include <thread>

#include "apps/commands.h"
#include "apps/local_genesis.h"
#include "apps/network_home.h"
#include "apps/overview.h"
#include "apps/process.h"
#include "apps/terminal.h"

namespace planetserve::apps {

namespace fs = std::filesystem;

namespace {

constexpr std::uint16_t default_port = 8400;
constexpr auto node_deadline = std::chrono::seconds(30);
constexpr auto api_deadline = std::chrono::seconds(120);

// What the default network serves: every model by at least two nodes, so that one may fail.
constexpr const char* first_model = "smollm2-135m-instruct";
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
    if (api_port != 0) text += "api:\n  listen: \"127.0.0.1:" + std::to_string(api_port) + "\"\n";
    return text;
}

// An engine's threads wait for each other by spinning: engines that each take all cores bring each other to a stop.
std::size_t threads_of_an_engine(std::size_t model_nodes) {
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

NetworkFile plan(const UpOptions& options, const std::optional<NetworkFile>& existing, std::uint16_t port) {
    auto count = [&](const std::string& role, const std::optional<std::size_t>& asked, std::size_t fallback) {
        if (asked || !existing) return asked.value_or(fallback);
        return static_cast<std::size_t>(std::count_if(existing->nodes.begin(), existing->nodes.end(),
                                                      [&](const NetworkNode& node) { return node.role == role; }));
    };
    NetworkFile network{port, {}};
    auto add = [&](const std::string& role, std::size_t many) {
        for (std::size_t i = 1; i <= many; ++i) network.nodes.push_back({role + "-" + std::to_string(i), role});
    };
    add("verifier", count("verifier", options.verifiers, 1));
    add("user", count("user", options.users, 16));
    add("model", count("model", options.models, 3));
    return network;
}

Result<std::uint16_t> choose_port(const UpOptions& options, const std::optional<NetworkFile>& existing) {
    if (options.port) {
        if (!port_is_free(*options.port))
            return fail(ErrorCode::unavailable,
                        "port " + std::to_string(*options.port) + " is in use; choose another with --port");
        return *options.port;
    }
    if (existing && port_is_free(existing->api_port)) return existing->api_port;
    for (std::uint16_t port = default_port; port < default_port + 100; ++port)
        if (port_is_free(port)) return port;
    return free_port();
}

std::string tail_of(const fs::path& log) {
    std::ifstream in(log);
    std::string line, last;
    while (std::getline(in, line))
        if (!line.empty()) last = line;
    return last;
}

// Starts those nodes of a role that do not run, and waits until each has said where it listens.
Status start_role(const NetworkHome& home, const NetworkFile& network, const std::string& role,
                  const std::string& program) {
    std::vector<std::pair<std::string, pid_t>> waiting;
    for (const NetworkNode& node : network.nodes) {
        if (node.role != role || running_node(home.node(node.name))) continue;
        auto pid = start_detached({program, role, "--config", home.config(node.name).string()}, home.log(node.name));
        if (!pid) return std::unexpected(pid.error());
        waiting.emplace_back(node.name, *pid);
    }
    auto end = std::chrono::steady_clock::now() + node_deadline;
    while (!waiting.empty()) {
        std::string ended;
        std::erase_if(waiting, [&](const auto& item) {
            if (running_node(home.node(item.first))) return true;
            if (!process_runs(item.second)) ended = item.first;
            return false;
        });
        if (!ended.empty()) return fail(ErrorCode::unavailable, ended + " ended at once: " + tail_of(home.log(ended)));
        if (std::chrono::steady_clock::now() > end)
            return fail(ErrorCode::timed_out,
                        waiting.front().first + " does not start; see " + home.log(waiting.front().first).string());
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return {};
}

Status write_configs(const NetworkHome& home, const NetworkFile& network) {
    const auto model_nodes = std::ranges::count(network.nodes, "model", &NetworkNode::role);
    const std::size_t threads = threads_of_an_engine(static_cast<std::size_t>(model_nodes));
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
            continue;  // its address is part of the genesis, and written with it
        }
        if (auto written = write_file(home.config(node.name), text); !written) return written;
    }
    return home.save(network);
}

// Stops those that are no longer part of the network, being asked for fewer.
void stop_others(const NetworkHome& home, const NetworkFile& before, const NetworkFile& network) {
    std::vector<pid_t> pids;
    for (const NetworkNode& node : before.nodes) {
        bool stays = std::any_of(network.nodes.begin(), network.nodes.end(),
                                 [&](const NetworkNode& other) { return other.name == node.name; });
        if (auto run = running_node(home.node(node.name)); run && !stays) pids.push_back(run->pid);
    }
    if (pids.empty()) return;
    Step step("stop " + std::to_string(pids.size()) + " nodes");
    std::size_t forced = stop_processes(pids, 10);
    step.done(forced == 0 ? "" : std::to_string(forced) + " had to be killed");
}

// Until the API is ready and every model node that was started is listed, so that each model can be asked for.
bool wait_for_api(const NetworkHome& home, std::size_t model_nodes, Step& step) {
    auto end = std::chrono::steady_clock::now() + api_deadline;
    while (std::chrono::steady_clock::now() < end) {
        if (auto all = overview(home)) {
            std::size_t listed = all->at("model_nodes").as_array().size();
            bool ready = all->at("ready").as_bool();
            if (ready && listed >= model_nodes) return true;
            step.progress(ready ? std::to_string(listed) + " of " + std::to_string(model_nodes) +
                                      " model nodes are listed"
                                : std::string(all->at("reason").as_string()));
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
    return false;
}

void say_how_to_use(const NetworkFile& network, const fs::path& home) {
    std::string base = "http://127.0.0.1:" + std::to_string(network.api_port);
    std::string with_home = home == NetworkHome::default_path() ? "" : " --home " + home.string();
    std::cout << "\n"
              << bold("The network is up.") << " Its API is OpenAI's, at " << bold(base + "/v1") << "\n\n"
              << "  curl " << base << "/v1/chat/completions -H 'Content-Type: application/json' \\\n"
              << "    -d '{\"model\": \"" << first_model
              << "\", \"stream\": true, \"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}]}'\n\n"
              << "  export OPENAI_BASE_URL=" << base << "/v1 OPENAI_API_KEY=none    # for programs that use OpenAI\n"
              << "  ./planetserve chat" << with_home << "      talk to it\n"
              << "  ./planetserve status" << with_home << "    nodes, paths, models\n"
              << "  ./planetserve doctor" << with_home << "    find out what is wrong\n"
              << "  ./planetserve down" << with_home << "      stop it\n";
}

}  // namespace

int up(const UpOptions& options, const std::string&) {
    fs::path path = fs::absolute(options.home);
    NetworkHome home(path);
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return error_exit("cannot create " + path.string() + ": " + error.message());
    fs::permissions(path, fs::perms::owner_all, error);

    std::optional<NetworkFile> existing;
    if (home.exists()) {
        auto loaded = home.load();
        if (!loaded) return error_exit(loaded.error().message);
        existing = *loaded;
    }
    // A second `up` of a network that runs only starts what is missing.
    bool api_runs =
        existing && std::any_of(existing->nodes.begin(), existing->nodes.end(), [&](const NetworkNode& node) {
            auto run = running_node(home.node(node.name));
            return run && !run->api.empty();
        });
    if (api_runs && options.port && *options.port != existing->api_port)
        return error_exit("this network's API already runs on port " + std::to_string(existing->api_port) +
                          "; stop it first: planetserve down --home " + path.string());
    auto port = api_runs ? Result<std::uint16_t>(existing->api_port) : choose_port(options, existing);
    if (!port) return error_exit(port.error().message);
    NetworkFile network = plan(options, existing, *port);
    auto verifiers = [](const NetworkFile& file) {
        return std::count_if(file.nodes.begin(), file.nodes.end(),
                             [](const NetworkNode& node) { return node.role == "verifier"; });
    };
    if (existing && verifiers(*existing) != verifiers(network))
        return error_exit("the genesis of " + path.string() + " names " + std::to_string(verifiers(*existing)) +
                          " verification node(s), which stay as they are; use another --home for another committee");

    std::optional<LocalVerification> verification;
    if (options.verify.value_or(verifiers(network) > 1))
        verification = {verification_of_epoch(options.epoch_seconds), {first_model, second_model}};
    auto genesis = ensure_local_genesis(home, network, verification);
    if (!genesis) return error_exit(genesis.error().message);
    if (auto written = write_configs(home, network); !written) return error_exit(written.error().message);

    std::cout << "Network in " << path.string() << "\n";
    if (existing) stop_others(home, *existing, network);
    std::string program = own_program().string();
    for (const char* role : {"verifier", "user", "model"}) {
        auto many = std::count_if(network.nodes.begin(), network.nodes.end(),
                                  [&](const NetworkNode& node) { return node.role == role; });
        Step step(std::to_string(many) + " " + role + (many == 1 ? " node" : " nodes"));
        if (auto started = start_role(home, network, role, program); !started) {
            step.failed(started.error().message);
            return error_exit(started.error().message);
        }
        step.done();
    }
    std::string api = "http://127.0.0.1:" + std::to_string(network.api_port);
    Step step("paths, models, API");
    auto model_nodes = std::count_if(network.nodes.begin(), network.nodes.end(),
                                     [](const NetworkNode& node) { return node.role == "model"; });
    if (!wait_for_api(home, static_cast<std::size_t>(model_nodes), step)) {
        step.failed("the API does not answer");
        return error_exit("the API does not become ready; run: planetserve doctor --home " + path.string());
    }
    step.done(api);
    say_how_to_use(network, path);
    return 0;
}

int down(const fs::path& path) {
    NetworkHome home(fs::absolute(path));
    auto network = home.load();
    if (!network) return error_exit(network.error().message);
    std::vector<pid_t> pids;
    // Askers first, then those they ask, then the directory.
    for (const char* role : {"user", "model", "verifier"})
        for (const NetworkNode& node : network->nodes)
            if (auto run = running_node(home.node(node.name)); run && node.role == role) pids.push_back(run->pid);
    if (pids.empty()) {
        std::cout << "Nothing of " << home.path().string() << " runs.\n";
        return 0;
    }
    Step step("stop " + std::to_string(pids.size()) + " nodes");
    std::size_t forced = stop_processes(pids, 10);
    step.done(forced == 0 ? "" : std::to_string(forced) + " had to be killed");
    return 0;
}

}  // namespace planetserve::apps
