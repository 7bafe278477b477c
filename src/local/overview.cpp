#include "local/overview.h"

#include <map>

#include "adapters/http/http_client.h"
#include "config/user_config.h"
#include "roles/run_file.h"

namespace planetserve::local {

namespace json = boost::json;

namespace {

// What a node tells of itself: an object, or a text that says why there is none.
json::value ask_status(const std::string& url, const std::string& key) {
    auto reply = adapters::http_call(
        {.url = url + "/planetserve/status", .body = {}, .api_key = key, .timeout_seconds = 5, .on_body = {}});
    if (!reply) return json::string(reply.error().message);
    if (reply->status == adapters::http_unauthorized)
        return "the API wants another key than 'api.key' in the configuration of its node; start the node again, or "
               "send "
               "it SIGHUP";
    boost::system::error_code error;
    json::value seen = reply->status == 200 ? json::parse(reply->body, error) : json::value();
    if (error || !seen.is_object()) return "the node does not tell its status";
    return seen;
}

// Names of this home for the model nodes that others list by id alone.
void name_model_nodes(json::object& all) {
    std::map<std::string, json::string> names;
    for (const auto& item : all.at("nodes").as_array())
        names[std::string(item.at("id").as_string())] = item.at("name").as_string();
    for (auto& item : all.at("model_nodes").as_array()) {
        auto found = names.find(std::string(item.at("id").as_string()));
        item.as_object()["name"] = found == names.end() ? json::string() : found->second;
    }
}

}  // namespace

std::optional<std::string> api_key(const NetworkHome& home) {
    auto network = home.load();
    if (!network) return std::nullopt;
    for (const NetworkNode& node : network->nodes) {
        if (node.role != "user") continue;
        auto config = config::load_user_config(home.config(node.name));
        if (config && config->api_listen) return config->api_key;
    }
    return std::nullopt;
}

Result<json::object> overview(const NetworkHome& home) {
    auto network = home.load();
    if (!network) return std::unexpected(network.error());
    json::object all{{"api", "http://127.0.0.1:" + std::to_string(network->api_port) + "/v1"},
                     {"api_node", ""},
                     {"ready", false},
                     {"reason", "the node with the API does not run"},
                     {"home", home.path().string()}};
    json::array nodes;
    std::string api;
    for (const NetworkNode& node : network->nodes) {
        auto run = roles::running_node(home.node(node.name));
        json::object item{{"id", ""},          {"name", node.name},
                          {"role", node.role}, {"state", run ? "running" : "stopped"},
                          {"address", ""},     {"pid", nullptr}};
        if (run) {
            item["id"] = run->id;
            item["address"] = run->address;
            item["pid"] = run->pid;
            if (node.role == "verifier" && !run->api.empty()) item["committee"] = ask_status(run->api, "");
            if (node.role == "user" && !run->api.empty() && api.empty()) {
                api = run->api;
                all["api"] = api + "/v1";
                all["api_node"] = run->id;
            }
        }
        nodes.push_back(std::move(item));
    }
    all["nodes"] = std::move(nodes);
    for (const char* name : {"models", "model_nodes", "paths"}) all[name] = json::array();
    if (api.empty()) return all;
    json::value seen = ask_status(api, api_key(home).value_or(""));
    if (!seen.is_object()) {
        all["reason"] = seen.as_string();
        return all;
    }
    for (auto& [key, value] : seen.as_object())
        if (key != "id" && key != "role") all[key] = value;
    name_model_nodes(all);
    return all;
}

}  // namespace planetserve::local
