// The network as a user node needs it: relays, and model nodes with their models.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "committee/entry.h"
#include "committee/verification_part.h"
#include "onion/relay_list.h"

namespace planetserve::node {

struct ModelNodeInfo {
    NodeId id;
    crypto::AgreementPublicKey onion_key;
    std::vector<std::string> models;
    std::uint32_t capacity = 1;  // requests at once
    std::uint32_t running = 0;   // as it last told the directory
    std::uint32_t queued = 0;
    bool trusted = true;                                     // gets requests
    std::optional<std::uint32_t> reputation = std::nullopt;  // in millionths; none where nothing verifies
    std::string operator_name = {};
};

struct DirectoryView {
    onion::RelayList relays;
    std::vector<ModelNodeInfo> models;
};

// A list of the directory as a view: all nodes but this one. Where nothing is verified there are no reputations.
DirectoryView view_of(const std::map<NodeId, committee::Entry>& entries,
                      const std::optional<committee::Reputations>& reputations, const NodeId& self);

// Null when it is not listed.
inline const ModelNodeInfo* find_model_node(const DirectoryView& view, const NodeId& id) {
    auto found = std::ranges::find(view.models, id, &ModelNodeInfo::id);
    return found == view.models.end() ? nullptr : &*found;
}

inline bool serves(const ModelNodeInfo& node, const std::string& model) {
    return std::ranges::find(node.models, model) != node.models.end();
}

// Names of all models that trusted nodes serve, each once, sorted.
std::vector<std::string> model_names(const DirectoryView& view);
// Whether a trusted node serves the model: unavailable where only others do, else not_found with the names that are.
Status is_served(const DirectoryView& view, const std::string& model);

}  // namespace planetserve::node
