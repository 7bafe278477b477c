// What a model node shows under /planetserve/status: one JSON object (docs/metrics.md).
#pragma once

#include <string>
#include <vector>

#include "adapters/vllm/kv_event_subscriber.h"
#include "committee/directory_client.h"
#include "node/model_groups.h"

namespace planetserve::roles {

// Of a model whose engine publishes what its cache holds.
struct CacheEventsStatus {
    std::string model;
    adapters::KvEventStatus events;
    std::uint64_t tokenized = 0;  // prompts that the engine was asked to tokenize
    std::uint64_t tokenize_failed = 0;
};

std::string model_status(const NodeId& id, const std::vector<node::ModelGroupStatus>& groups,
                         const std::vector<CacheEventsStatus>& cache_events, const exchange::ModelSide& server,
                         const committee::DirectoryClient& directory);

}  // namespace planetserve::roles
