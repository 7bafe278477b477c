// This network on this machine: the program's own nodes as real processes, each model node with an engine of its own,
// for experiments that compare it with what else stands in front of such engines.
#pragma once

#include "eval/kit/files.h"
#include "eval/kit/live/local_engine.h"

namespace planetserve::eval {

struct LocalNetworkOptions {
    LocalEngineOptions engines = {};  // REQUIRES: resolved
    std::size_t model_nodes = 4;
    std::size_t user_nodes = 8;                       // the first has the API, all relay
    std::vector<std::string> without_additions = {};  // of the routing decision: a model node's `routing.without`
};

struct LocalNetwork {
    std::unique_ptr<TemporaryFolder> folder;            // the nodes' directories
    std::string base_url;                               // of the API
    std::vector<std::unique_ptr<LocalServer>> servers;  // all nodes; the network ends with them
};

// Returns when the API answers and all model nodes have been listed for as long as it takes until they are handed
// requests. Runs the `planetserve` beside this program, on a genesis with one verification node, which does not
// verify. A log for each node in `log_folder`. not_found without the program.
Result<LocalNetwork> start_network(boost::asio::io_context& context, const LocalNetworkOptions& options,
                                   const std::filesystem::path& log_folder);

}  // namespace planetserve::eval
