// A network of this machine as one JSON object: what its home says, whether the processes run, and what the node with
// the API sees. Keys: api, api_node, ready, reason, models, nodes, model_nodes, paths, directory, requests, relay. Each
// model node has the "name" of the node in this home, empty for a node elsewhere. A running verification node has
// "committee": what it says of the registry and its consensus engine, or why it says nothing.
#pragma once

#include <boost/json.hpp>

#include "local/network_home.h"

namespace planetserve::local {

// Asks the nodes over HTTP. Fails only where there is no network; what nodes that are down would say is empty, and
// `reason` says why.
Result<boost::json::object> overview(const NetworkHome& home);

// The key of the home's API, from the configuration of its node; empty where it wants none.
std::optional<std::string> api_key(const NetworkHome& home);

}  // namespace planetserve::local
