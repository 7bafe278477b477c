#include "apps/overview.h"

#include "apps/http_client.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

// What a node's endpoint tells of it: an object, or why there is none, in words.
json::value ask_status(const std::string& url) {
    auto reply =
        http_call({.url = url + "/planetserve/status", .body = {}, .api_key = {}, .timeout_seconds = 5, .on_body = {}});
    if (!reply) return json::string(reply.error().message);
    boost::system::error_code error;
    json::value seen = reply->status == 200 ? json::parse(reply->body, error) : json::value();
    if (error || !seen.is_object()) return "the API does not tell its status";
    return seen;
}

}  // namespace

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
        auto run = running_node(home.node(node.name));
        json::object item{{"id", ""},          {"name", node.name},
                          {"role", node.role}, {"state", run ? "running" : "stopped"},
                          {"address", ""},     {"pid", nullptr}};
        if (run) {
            item["id"] = run->id;
            item["address"] = run->address;
            item["pid"] = run->pid;
            if (node.role == "verifier" && !run->api.empty()) item["committee"] = ask_status(run->api);
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
    json::value seen = ask_status(api);
    if (!seen.is_object()) {
        all["reason"] = seen.as_string();
        return all;
    }
    for (auto& [key, value] : seen.as_object())
        if (key != "id" && key != "role") all[key] = value;
    return all;
}

}  // namespace planetserve::apps
