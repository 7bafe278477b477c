// What a running node says of itself in its home (run.json), so that other programs on the machine find it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "base/result.h"

namespace planetserve::roles {

struct RunFile {
    pid_t pid = 0;
    std::uint64_t started = 0;  // in clock ticks since boot, so that a reused pid is not mistaken for the node
    std::string id;
    std::string role;
    std::string address;
    std::string api;  // base URL of the API or the status endpoint; empty without one
};

// The run file of a node's home; empty when there is none or its process is gone.
std::optional<RunFile> running_node(const std::filesystem::path& node_home);
// Fills in pid and started: those of this process.
Status write_run_file(const std::filesystem::path& node_home, RunFile run);
void remove_run_file(const std::filesystem::path& node_home);

}  // namespace planetserve::roles
