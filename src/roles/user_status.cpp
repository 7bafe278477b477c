#include "roles/user_status.h"

#include <boost/json.hpp>

#include "verification/parameters.h"

namespace planetserve::roles {

namespace json = boost::json;

namespace {

json::array paths_of(const node::UserNode& node) {
    json::array paths;
    for (const auto& path : node.requests().pool().status()) {
        json::array relays;
        for (const NodeId& relay : path.relays) relays.push_back(json::value(relay.hex()));
        paths.push_back(json::object{{"number", static_cast<std::uint64_t>(path.number)},
                                     {"state", to_string(path.state)},
                                     {"relays", std::move(relays)},
                                     {"shares_relays", path.shares_relays},
                                     {"setup_ms", to_seconds(path.setup_time) * 1000},
                                     {"round_trip_ms", to_seconds(path.round_trip) * 1000},
                                     {"streams", path.streams}});
    }
    return paths;
}

// null where the network verifies nothing.
json::value reputation_of(const node::ModelNodeInfo& node) {
    if (!node.reputation) return nullptr;
    return static_cast<double>(*node.reputation) / verification::one;
}

json::array model_nodes_of(const node::DirectoryView& view) {
    json::array nodes;
    for (const auto& node : view.models) {
        json::array models;
        for (const auto& model : node.models) models.push_back(json::value(model));
        nodes.push_back(json::object{{"id", node.id.hex()},
                                     {"models", std::move(models)},
                                     {"capacity", node.capacity},
                                     {"running", node.running},
                                     {"queued", node.queued},
                                     {"operator", node.operator_name},
                                     {"trusted", node.trusted},
                                     {"reputation", reputation_of(node)}});
    }
    return nodes;
}

json::object directory_of(const node::DirectoryView& view, const committee::DirectoryClient& directory,
                          const Clock& clock) {
    json::object object{{"users", view.relays.size()},
                        {"model_nodes", view.models.size()},
                        {"height", 0},
                        {"age_seconds", nullptr},
                        {"registered", directory.registered()},
                        {"problem", directory.problem()},
                        {"last_failure", directory.last_failure()}};
    if (directory.list()) {
        object["height"] = directory.list()->header.height;
        object["age_seconds"] = static_cast<double>((clock.unix_now() - directory.list()->header.time).count()) / 1000;
    }
    return object;
}

}  // namespace

std::string user_status(const NodeId& id, const node::UserNode& node, const committee::DirectoryClient& directory,
                        const Clock& clock) {
    const auto& requests = node.requests();
    Status ready = requests.ready();
    json::array models;
    for (const auto& name : node::model_names(requests.directory())) models.push_back(json::value(name));
    const auto& counters = requests.counters();
    return json::serialize(
        json::object{{"id", id.hex()},
                     {"role", "user"},
                     {"ready", ready.has_value()},
                     {"reason", ready ? "" : ready.error().message},
                     {"models", std::move(models)},
                     {"model_nodes", model_nodes_of(requests.directory())},
                     {"paths", paths_of(node)},
                     {"directory", directory_of(requests.directory(), directory, clock)},
                     {"requests", json::object{{"under_way", requests.active()},
                                               {"all", counters.requests},
                                               {"retried", counters.retried},
                                               {"resumed", counters.resumed},
                                               {"failed", counters.failed},
                                               {"lanes_replaced", counters.lanes_replaced},
                                               {"corrupt_lanes", counters.corrupt_lanes}}},
                     {"relay", json::object{{"paths", node.relay().relay().paths()},
                                            {"streams", node.relay().proxy().streams()},
                                            {"cells", node.relay().relay().counters().cells_relayed},
                                            {"paths_evicted", node.relay().relay().counters().paths_evicted +
                                                                  node.relay().proxy().counters().paths_evicted}}}});
}

}  // namespace planetserve::roles
