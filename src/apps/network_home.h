// The directory in which `planetserve up` keeps a network of this machine: its genesis, a folder for each node with
// configuration, keys and log, and network.json, which says what belongs to it.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace planetserve::apps {

struct NetworkNode {
    std::string name;  // "user-1"
    std::string role;  // user, model, verifier
};

struct NetworkFile {
    std::uint16_t api_port = 0;
    std::vector<NetworkNode> nodes;
};

// What a running node says of itself in its home (run.json), so that others on the machine find it.
struct RunFile {
    pid_t pid = 0;
    std::uint64_t started =
        0;  // the process's start time as the kernel counts it, so that a reused pid is not taken for it
    std::string id;
    std::string role;
    std::string address;
    std::string api;  // base URL; empty without one
};

class NetworkHome {
public:
    // --home, or $PLANETSERVE_HOME, or $XDG_DATA_HOME/planetserve/network.
    static std::filesystem::path default_path();

    explicit NetworkHome(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path genesis() const { return path_ / "genesis.json"; }
    std::filesystem::path node(const std::string& name) const { return path_ / "nodes" / name; }
    std::filesystem::path config(const std::string& name) const { return node(name) / "config.yaml"; }
    std::filesystem::path log(const std::string& name) const { return node(name) / "log"; }

    bool exists() const;
    Result<NetworkFile> load() const;
    Status save(const NetworkFile& network) const;

private:
    std::filesystem::path path_;
};

// The run file of a node's home; empty when there is none or its process is gone.
std::optional<RunFile> running_node(const std::filesystem::path& node_home);
Status write_run_file(const std::filesystem::path& node_home, RunFile run);
void remove_run_file(const std::filesystem::path& node_home);

// Writes a file whole or not at all.
Status write_file(const std::filesystem::path& file, const std::string& content);
Result<std::string> read_file(const std::filesystem::path& file, std::size_t maximum = 1 << 20);

}  // namespace planetserve::apps
