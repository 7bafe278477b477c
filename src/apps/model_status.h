// What a model node's status endpoint tells: one JSON object.
#pragma once

#include <string>

#include "committee/directory_client.h"
#include "node/model_groups.h"

namespace planetserve::apps {

std::string model_status(const NodeId& id, const std::vector<node::ModelGroupStatus>& groups,
                         const exchange::Server& server, const committee::DirectoryClient& directory);

}  // namespace planetserve::apps
