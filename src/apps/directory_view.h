// A list of the directory as the node's code sees the network.
#pragma once

#include "committee/directory_client.h"
#include "node/directory_view.h"
#include "verification/parameters.h"

namespace planetserve::apps {

// All but the node itself. Without reputations every model node is trusted.
node::DirectoryView view_of(const std::map<NodeId, committee::Entry>& entries,
                            const std::optional<committee::Reputations>& reputations, const NodeId& self);
// What a network that does not verify its model nodes takes for the reputation of each.
inline constexpr verification::Millionths unverified_reputation = 500'000;
verification::Millionths reputation_of(const std::optional<committee::Reputations>& reputations, const NodeId& node);
bool is_trusted(const std::optional<committee::Reputations>& reputations, const NodeId& node);

}  // namespace planetserve::apps
