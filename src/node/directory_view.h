// What a user node needs to know of the network, however it was learnt and checked.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "base/result.h"
#include "onion/relay_list.h"

namespace planetserve::node {

struct ModelNodeInfo {
    NodeId id;
    crypto::AgreementPublicKey onion_key;
    std::vector<std::string> models;
    std::uint32_t capacity = 1;  // requests at once
    std::uint32_t running = 0;   // by its last word to the directory
    std::uint32_t queued = 0;
    bool trusted = true;                 // gets requests
    std::uint32_t reputation = 500'000;  // in millionths
};

struct DirectoryView {
    onion::RelayList relays;
    std::vector<ModelNodeInfo> models;
};

// Null when it is not listed.
inline const ModelNodeInfo* find_model_node(const DirectoryView& view, const NodeId& id) {
    auto found = std::ranges::find(view.models, id, &ModelNodeInfo::id);
    return found == view.models.end() ? nullptr : &*found;
}

// Names of all models that trusted nodes serve, each once, sorted.
std::vector<std::string> model_names(const DirectoryView& view);
// Whether a trusted node serves the model: unavailable where only others do, else not_found with the names that are.
Status is_served(const DirectoryView& view, const std::string& model);

}  // namespace planetserve::node
