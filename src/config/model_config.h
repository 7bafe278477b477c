// The configuration of a model node (configs/model.example.yaml).
#pragma once

#include <vector>

#include "config/common.h"
#include "config/served_model.h"
#include "routing/decide.h"

namespace planetserve::config {

// How a model node shares work with others that serve the same model (docs/protocols/routing.md).
struct RoutingConfig {
    bool forwarding = true;
    std::uint64_t sync_ms = 5000;          // between two sync messages to the others
    std::uint32_t hash_bits = 32;          // 8, 16 or 32; the same on all nodes of a group
    std::uint64_t listed_for_ms = 10'000;  // a node gets forwarded requests only after it has been listed this long
    bool adapt_array = false;
    bool count_computing = true;
    routing::Parameters decision;
};

struct ModelConfig {
    CommonConfig common;
    std::optional<std::string> status_listen;  // the operator's status endpoint; none without it
    RoutingConfig routing;
    std::vector<ServedModelConfig> models;  // required: at least one
};

Result<ModelConfig> load_model_config(const std::filesystem::path& file);

}  // namespace planetserve::config
