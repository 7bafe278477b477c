#include "local/home_nodes.h"

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <fstream>
#include <thread>

#include "base/words.h"
#include "local/overview.h"
#include "local/ports.h"
#include "local/process.h"
#include "roles/run_file.h"

namespace planetserve::local {

namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

constexpr std::uint16_t default_port = 8400;
constexpr std::uint16_t ports_tried = 100;                // from the default one on
constexpr auto node_deadline = std::chrono::seconds(30);  // for a node to say where it listens
constexpr auto api_deadline = std::chrono::seconds(120);
constexpr auto start_poll = std::chrono::milliseconds(20);
constexpr auto api_poll = std::chrono::milliseconds(100);
constexpr int stop_grace_seconds = 10;

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

// By its run file; by the lock of its home where that file is missing.
std::optional<pid_t> process_of(const fs::path& node_home) {
    auto run = roles::running_node(node_home);
    const auto pid = run ? std::optional(run->pid) : roles::home_holder(node_home);
    return pid && *pid > 0 ? pid : std::nullopt;  // 0: a process of another container
}

// The first node that does not run any more.
std::optional<std::string> ended_node(const json::object& overview) {
    for (const auto& node : overview.at("nodes").as_array())
        if (node.at("state").as_string() != "running") return std::string(node.at("name").as_string());
    return std::nullopt;
}

// Others may be listed besides: a network has nodes elsewhere.
std::size_t listed_of_home(const json::object& overview) {
    return static_cast<std::size_t>(std::ranges::count_if(
        overview.at("model_nodes").as_array(), [](const auto& node) { return !node.at("name").as_string().empty(); }));
}

std::string still_missing(const json::object& overview, const Wait& wait) {
    if (!overview.at("ready").as_bool()) return std::string(overview.at("reason").as_string());
    const auto& directory = overview.at("directory").as_object();
    if (wait.registered && !directory.at("registered").as_bool()) {
        const std::string problem(directory.at("problem").as_string());
        return "the directory has not taken this node" + (problem.empty() ? "" : ": " + problem);
    }
    const std::size_t listed = listed_of_home(overview);
    if (listed >= wait.model_nodes) return {};
    return std::to_string(listed) + " of " + counted(wait.model_nodes, "model node", "model nodes") + " listed";
}

}  // namespace

Status make_home(const fs::path& path) {
    std::error_code error;
    fs::create_directories(path, error);
    if (error) return fail(ErrorCode::io, "cannot create " + path.string() + ": " + error.message());
    fs::permissions(path, fs::perms::owner_all, error);
    return {};
}

Result<roles::HomeLock> lock_network(const NetworkHome& home) {
    auto lock = roles::HomeLock::take(home.path());
    if (!lock && lock.error().code == ErrorCode::already_exists)
        return fail(ErrorCode::already_exists,
                    lock.error().message +
                        ", another 'planetserve' that starts or stops nodes of this home; wait until it ends");
    return lock;
}

std::size_t count_of(const NetworkFile& network, std::string_view role) {
    return static_cast<std::size_t>(std::ranges::count(network.nodes, role, &NetworkNode::role));
}

bool api_runs(const NetworkHome& home, const NetworkFile& network) {
    return std::ranges::any_of(network.nodes, [&](const NetworkNode& node) {
        auto run = node.role == "user" ? roles::running_node(home.node(node.name)) : std::nullopt;
        return run && !run->api.empty();
    });
}

Result<std::uint16_t> choose_port(const std::optional<std::uint16_t>& asked,
                                  const std::optional<NetworkFile>& existing) {
    if (asked) {
        if (port_is_free(*asked)) return *asked;
        return fail(ErrorCode::unavailable,
                    "port " + std::to_string(*asked) + " is in use; choose another with --port");
    }
    if (existing && port_is_free(existing->api_port)) return existing->api_port;
    for (std::uint16_t port = default_port; port < default_port + ports_tried; ++port)
        if (port_is_free(port)) return port;
    return free_port();
}

Status start_nodes(const NetworkHome& home, const NetworkFile& network, Steps& steps) {
    for (const char* role : {"verifier", "user", "model"}) {
        const std::string noun = std::string(role) + " node";
        if (count_of(network, role) == 0) continue;
        steps.begin(counted(count_of(network, role), noun, noun + "s"));
        auto started = start_role(home, network, role);
        steps.end(started ? Steps::Outcome::done : Steps::Outcome::failed, started ? "" : started.error().message);
        if (!started) return started;
    }
    return {};
}

Status wait_for_api(const NetworkHome& home, const Wait& wait, Steps& steps) {
    const auto end = std::chrono::steady_clock::now() + api_deadline;
    std::string missing = "the API does not answer";
    while (std::chrono::steady_clock::now() < end) {
        if (auto all = overview(home)) {
            missing = still_missing(*all, wait);
            if (missing.empty()) return {};
            if (auto ended = ended_node(*all))
                return fail(ErrorCode::unavailable, *ended + " ended: " + last_line_of(home.log(*ended)));
            steps.progress(missing);
        }
        std::this_thread::sleep_for(api_poll);
    }
    return fail(ErrorCode::timed_out, missing);
}

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

}  // namespace planetserve::local
