#include "eval/wide_area/live_network.h"

#include <signal.h>

#include <boost/json.hpp>
#include <thread>

#include "committee/genesis.h"
#include "crypto/identity.h"
#include "crypto/system_random.h"
#include "eval/kit/files.h"
#include "eval/workload/simple_get.h"
#include "local/ports.h"

namespace planetserve::eval {

namespace json = boost::json;

namespace {

constexpr auto last_words = std::chrono::milliseconds(600);
constexpr const char* status_path = "/planetserve/status";

std::string local(std::uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

double number_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value && value->is_number() ? value->to_number<double>() : 0;
}

std::string text_in(const json::object& object, std::string_view key) {
    const json::value* value = object.if_contains(key);
    return value && value->is_string() ? std::string(value->get_string()) : "";
}

}  // namespace

LiveNetwork::LiveNetwork(boost::asio::io_context& context, LiveNetworkOptions options)
    : context_(context), options_(std::move(options)) {
    lines_ = std::make_unique<DelayLines>([this](std::size_t one, std::size_t other) {
        std::lock_guard lock(places_mutex_);
        return round_trip(places_.at(one), places_.at(other));
    });
}

Result<std::unique_ptr<LiveNetwork>> LiveNetwork::start(boost::asio::io_context& context, LiveNetworkOptions options) {
    std::unique_ptr<LiveNetwork> network(new LiveNetwork(context, std::move(options)));
    if (Status started = network->start_all(); !started) return std::unexpected(started.error());
    return network;
}

Status LiveNetwork::start_all() {
    for (const Place& place : options_.relays)
        if (auto added = add("user", place); !added) return std::unexpected(added.error());
    if (auto added = add("model", options_.model); !added) return std::unexpected(added.error());
    auto verifier = add("verifier", options_.verifier);
    if (!verifier) return std::unexpected(verifier.error());
    if (Status written = found(*verifier); !written) return written;
    if (Status started = run(*verifier); !started) return started;
    for (std::size_t node = 0; node < *verifier; ++node)
        if (Status started = run(node); !started) return started;
    return {};
}

Result<std::size_t> LiveNetwork::add(const std::string& role, const Place& place) {
    std::size_t number = nodes_.size();
    crypto::SystemRandom random;
    auto port = new_port(random);
    auto api = new_port(random);
    if (!port || !api) return std::unexpected((!port ? port : api).error());
    {
        std::lock_guard lock(places_mutex_);
        places_.push_back(place);
    }
    auto address = lines_->open(number, {"127.0.0.1", *port});
    if (!address) return std::unexpected(address.error());
    Node node{role, options_.folder / (role + "-" + std::to_string(number)), *port, *address, *api};
    auto keys = crypto::load_or_create_keys(node.home / "keys", random);
    if (!keys) return std::unexpected(keys.error());
    numbers_[keys->identity.id()] = number;
    nodes_.push_back(std::move(node));
    return number;
}

// Among thousands of connections over the loopback one that the kernel gives away may be taken before a node listens at
// it, or while the model node is started again.
Result<std::uint16_t> LiveNetwork::new_port(Random& random) {
    while (true) {
        auto port = local::lasting_port(random);
        if (!port || ports_.insert(*port).second) return port;
    }
}

// One verification node that challenges nobody.
Status LiveNetwork::found(std::size_t verifier) const {
    committee::Genesis genesis{"wide-area", SystemClock().unix_now(), {}, {}};
    for (const auto& [id, number] : numbers_)
        if (number == verifier) genesis.validators.push_back({"one", id, 1, nodes_[verifier].address});
    return write_file(options_.folder / "genesis.json", genesis.to_json() + "\n");
}

std::string LiveNetwork::config_of(const Node& node) const {
    std::string text = "home: '" + node.home.string() + "'\ngenesis: '" + (options_.folder / "genesis.json").string() +
                       "'\nlisten: '" + local(node.port) + "'\nadvertise: '" + node.address.to_string() + "'\n";
    std::string listen = "listen: '" + local(node.api) + "'";
    if (node.role != "user") text += "status: {" + listen + "}\n";
    if (node.role == "user")
        text += "api: {" + listen + "}\npaths: {length: " + std::to_string(options_.hops) +
                ", lifetime_seconds: " + std::to_string(options_.path_lifetime.count()) + "}\n";
    if (node.role == "model")
        text += "models: [{name: '" + options_.model_name + "', upstream: '" + options_.engine +
                "', slots: 2, context: 2048}]\n";
    return text;
}

Status LiveNetwork::run(std::size_t number) {
    Node& node = nodes_[number];
    auto config = node.home / "config.yaml";
    if (Status written = write_file(config, config_of(node)); !written) return written;
    LocalServerOptions options;
    options.name = node.home.filename();
    options.argv = {options_.program, node.role, "--config", config.string()};
    options.base_url = "http://" + local(node.api);
    options.health_path = status_path;
    options.log = node.home / "log";
    options.start_deadline = 30s;
    options.on_process = [this, number](pid_t process) { lines_->process_of(number, process); };
    auto started = LocalServer::start(context_, std::move(options));
    if (!started) return std::unexpected(started.error());
    node.server = std::move(*started);
    return {};
}

std::vector<pid_t> LiveNetwork::processes() const {
    std::vector<pid_t> pids;
    for (const Node& node : nodes_)
        if (node.server) pids.push_back(node.server->pid());
    return pids;
}

Result<LiveUserStatus> LiveNetwork::status(std::size_t user) const {
    auto text = fetch(context_, api(user), status_path, 5s);
    if (!text) return std::unexpected(text.error());
    boost::system::error_code error;
    json::value value = json::parse(*text, error);
    if (error || !value.is_object()) return fail(ErrorCode::malformed, "a user node's status does not parse");
    const json::object& object = value.get_object();
    LiveUserStatus status;
    status.ready = object.contains("ready") && object.at("ready") == true;
    status.reason = text_in(object, "reason");
    const json::value* paths = object.if_contains("paths");
    if (!paths || !paths->is_array()) return fail(ErrorCode::malformed, "a user node's status tells of no paths");
    for (const json::value& item : paths->get_array()) {
        if (!item.is_object()) continue;
        const json::object& told = item.get_object();
        LivePath path;
        path.number = static_cast<std::uint64_t>(number_in(told, "number"));
        path.up = text_in(told, "state") == "up";
        path.setup = Duration(static_cast<std::int64_t>(number_in(told, "setup_ms") * 1000));
        path.nodes.push_back(user);
        const json::value* relays = told.if_contains("relays");
        if (!relays || !relays->is_array()) return fail(ErrorCode::malformed, "a path without relays");
        bool known = true;
        for (const json::value& relay : relays->get_array()) {
            auto id = NodeId::from_hex(relay.is_string() ? std::string_view(relay.get_string()) : "");
            auto number = id ? numbers_.find(*id) : numbers_.end();
            known = known && number != numbers_.end();
            if (known) path.nodes.push_back(number->second);
        }
        if (!known) path.nodes.clear();
        status.paths.push_back(std::move(path));
    }
    return status;
}

Status LiveNetwork::restart_model() {
    nodes_[model()].server.reset();
    return run(model());
}

Result<std::size_t> LiveNetwork::visit(const Place& place) {
    auto number = add("user", place);
    if (!number) return number;
    if (Status started = run(*number); !started) return std::unexpected(started.error());
    return number;
}

void LiveNetwork::leave(std::size_t user) {
    auto& server = nodes_.at(user).server;
    if (!server) return;
    ::kill(server->pid(), SIGTERM);
    std::this_thread::sleep_for(last_words);
    server.reset();
}

}  // namespace planetserve::eval
