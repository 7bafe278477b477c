// Starts and stops a network of real node processes on this machine. It writes each node's configuration and starts its
// role as an operator would; the nodes know nothing that an operator could not tell them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.h"
#include "local/network_home.h"
#include "local/steps.h"

namespace planetserve::local {

// A model that every default network serves.
inline constexpr const char* first_model = "smollm2-135m-instruct";

// Where an option is left out, an existing network keeps what it has; a new one gets the value in the comment.
struct LaunchOptions {
    std::filesystem::path home;
    std::optional<std::size_t> users;      // 16
    std::optional<std::size_t> models;     // 3
    std::optional<std::size_t> verifiers;  // 1
    std::optional<bool> verify;            // of the genesis: a committee verifies model nodes
    std::uint32_t epoch_seconds = 600;     // of the genesis
    std::optional<std::uint16_t> port;     // 8400, or the next free one
    std::optional<std::size_t> threads;    // of each engine; by itself, engines share the processor's cores
};

// Starts what does not run yet, and returns when the API answers and lists every model node.
Result<NetworkFile> launch(const LaunchOptions& options, Steps& steps);

// Stops every node whose home is in the network's, also one that network.json or its own run file does not tell of.
// Returns how many ran.
Result<std::size_t> stop(const NetworkHome& home, Steps& steps);

}  // namespace planetserve::local
