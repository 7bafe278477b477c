// The configuration of a verification node (configs/verifier.example.yaml).
#pragma once

#include <vector>

#include "config/common.h"
#include "config/served_model.h"

namespace planetserve::config {

// For a consensus engine without blocks of its own: it starts from a snapshot instead of the first block.
struct StateSyncConfig {
    std::vector<std::string> servers;  // at least two: other validators' RPC, "unix:///path" or "http://host:port"
    std::int64_t height = 0;           // of a block that the operator trusts
    std::string hash;                  // of that block, 64 hexadecimal digits
};

struct VerifierConfig {
    CommonConfig common;
    // The models this node can score; it has no opinion on others. Never from an upstream.
    std::vector<ServedModelConfig> models;
    // The conversations whose SHA-256 the genesis states, where it states one (verification_agent/prompt_pool.h).
    std::optional<std::filesystem::path> prompt_pool;
    std::optional<std::string> status_listen;  // the operator's status endpoint; none without it
    // In a committee: where other validators' consensus engines connect, when it differs from the genesis; and
    // CometBFT's program, when it is neither $PLANETSERVE_COMETBFT nor in PATH.
    std::optional<Endpoint> consensus_listen;
    std::optional<std::filesystem::path> consensus_program;
    std::optional<StateSyncConfig> state_sync;
};

Result<VerifierConfig> load_verifier_config(const std::filesystem::path& file);

}  // namespace planetserve::config
