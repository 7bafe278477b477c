// A network of this machine as one JSON object: what its home says, whether the processes run, and what the node with
// the API sees. Keys: api, api_node, ready, reason, models, nodes, model_nodes, paths, directory, requests, relay. A
// verification node that runs has "committee", what it says of the registry and its consensus engine, or why it does
// not.
#pragma once

#include <boost/json.hpp>

#include "apps/network_home.h"

namespace planetserve::apps {

// Never fails because nodes are down; those parts are then empty and `reason` says so.
Result<boost::json::object> overview(const NetworkHome& home);

}  // namespace planetserve::apps
