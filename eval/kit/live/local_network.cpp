#include "eval/kit/live/local_network.h"

#include <stdlib.h>

#include <boost/json.hpp>

#include "config/model_config.h"
#include "eval/workload/simple_get.h"
#include "local/local_genesis.h"
#include "local/ports.h"
#include "local/process.h"

namespace planetserve::eval {

namespace fs = std::filesystem;

namespace {

constexpr Duration network_deadline = 2min;

local::NetworkFile plan(const LocalNetworkOptions& options) {
    local::NetworkFile network;
    auto add = [&](const std::string& role, std::size_t many) {
        for (std::size_t i = 1; i <= many; ++i) network.nodes.push_back({role + "-" + std::to_string(i), role});
    };
    add("verifier", 1);
    add("user", options.user_nodes);
    add("model", options.model_nodes);
    return network;
}

std::string model_config(const LocalNetworkOptions& options) {
    std::string text;
    if (!options.without_additions.empty()) {
        text += "routing:\n  without:\n";
        for (const auto& addition : options.without_additions) text += "    - " + addition + "\n";
    }
    const LocalEngineOptions& engine = options.engines;
    text += std::string("models:\n  - name: ") + local_model_name + "\n    file: \"" +
            fs::absolute(engine.model_file).string() + "\"\n    slots: " + std::to_string(engine.slots) +
            "\n    context: " + std::to_string(engine.context) + "\n    threads: " + std::to_string(engine.threads) +
            "\n    cache_mib: " + std::to_string(engine.cache_mib) +
            "\n    flash_attention: " + (engine.flash_attention ? "true" : "false") + "\n";
    return text;
}

Status write_config(const local::NetworkHome& home, const local::NetworkNode& node, const LocalNetworkOptions& options,
                    std::uint16_t api_port) {
    if (node.role == "verifier") return {};  // its address is part of the genesis, and written with it
    std::string text = "home: \"" + home.node(node.name).string() + "\"\ngenesis: \"" + home.genesis().string() +
                       "\"\nlisten: \"127.0.0.1:0\"\n";
    if (node.role == "model") text += model_config(options);
    if (node.name == "user-1") text += "api:\n  listen: \"127.0.0.1:" + std::to_string(api_port) + "\"\n";
    return write_file(home.config(node.name), text);
}

// The model nodes that the API's node knows of, once it can ask them.
std::size_t model_nodes_seen(boost::asio::io_context& context, const std::string& base_url) {
    auto body = fetch(context, base_url, "/planetserve/status", 5s);
    if (!body) return 0;
    boost::system::error_code error;
    auto status = boost::json::parse(*body, error);
    if (error || !status.is_object()) return 0;
    const auto* ready = status.as_object().if_contains("ready");
    const auto* nodes = status.as_object().if_contains("model_nodes");
    return ready && ready->is_bool() && ready->as_bool() && nodes && nodes->is_array() ? nodes->as_array().size() : 0;
}

Status wait_for(boost::asio::io_context& context, const std::string& base_url, std::size_t model_nodes) {
    SystemClock clock;
    for (Time end = clock.now() + network_deadline; clock.now() < end; pause(context, 200ms))
        if (model_nodes_seen(context, base_url) >= model_nodes) return {};
    return fail(ErrorCode::timed_out, "the network does not become ready; its nodes' logs say why");
}

}  // namespace

Result<LocalNetwork> start_network(boost::asio::io_context& context, const LocalNetworkOptions& options,
                                   const fs::path& log_folder) {
    const fs::path program = local::own_program().parent_path() / "planetserve";
    if (!fs::exists(program)) return fail(ErrorCode::not_found, "there is no " + program.string());
    // Where a model node looks for the engine.
    const fs::path engine = fs::absolute(options.engines.program);
    if (engine.filename() != "llama-server" || engine.parent_path().filename() != "bin")
        return fail(ErrorCode::invalid_argument,
                    "a network's engine has to be called bin/llama-server, which " + engine.string() + " is not");
    ::setenv("PLANETSERVE_ENGINE", engine.parent_path().parent_path().c_str(), 1);

    LocalNetwork network;
    network.folder = std::make_unique<TemporaryFolder>();
    local::NetworkHome home(network.folder->path);
    const local::NetworkFile nodes = plan(options);
    auto port = free_port();
    if (!port) return std::unexpected(port.error());
    if (Status made = local::ensure_local_genesis(home, nodes, std::nullopt); !made)
        return std::unexpected(made.error());
    for (const auto& node : nodes.nodes) {
        std::error_code error;
        fs::create_directories(home.node(node.name), error);
        if (Status written = write_config(home, node, options, *port); !written)
            return std::unexpected(written.error());
        LocalServerOptions server;
        server.name = node.name;
        server.argv = {program.string(), node.role, "--config", home.config(node.name).string()};
        server.log = log_folder / (node.name + ".log");
        server.health_path.clear();
        auto started = LocalServer::start(context, std::move(server));
        if (!started) return std::unexpected(started.error());
        network.servers.push_back(std::move(*started));
    }
    network.base_url = "http://127.0.0.1:" + std::to_string(*port);
    if (Status ready = wait_for(context, network.base_url, options.model_nodes); !ready)
        return std::unexpected(ready.error());
    pause(context, std::chrono::milliseconds(config::RoutingConfig{}.listed_for_ms) + 2s);
    return network;
}

}  // namespace planetserve::eval
