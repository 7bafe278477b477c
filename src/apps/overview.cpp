#include "apps/overview.h"

#include "apps/http_client.h"

namespace planetserve::apps {

namespace json = boost::json;

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
    auto reply =
        http_call({.url = api + "/planetserve/status", .body = {}, .api_key = {}, .timeout_seconds = 5, .on_body = {}});
    boost::system::error_code error;
    json::value seen = reply && reply->status == 200 ? json::parse(reply->body, error) : json::value();
    if (error || !seen.is_object()) {
        all["reason"] = reply ? "the API does not tell its status" : reply.error().message;
        return all;
    }
    for (auto& [key, value] : seen.as_object())
        if (key != "id" && key != "role") all[key] = value;
    return all;
}

}  // namespace planetserve::apps
