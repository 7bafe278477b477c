// What a user node shows under /planetserve/status: one JSON object (docs/metrics.md).
#pragma once

#include <string>

#include "committee/directory_client.h"
#include "node/user_node.h"

namespace planetserve::roles {

std::string user_status(const NodeId& id, const node::UserNode& node, const committee::DirectoryClient& directory,
                        const Clock& clock);

}  // namespace planetserve::roles
