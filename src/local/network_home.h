// The network home: the directory in which `planetserve up` keeps a network of this machine. It holds the genesis,
// network.json, which lists the nodes, and for each node a folder with configuration, keys and log.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"

namespace planetserve::local {

struct NetworkNode {
    std::string name;  // "user-1"
    std::string role;  // user, model, verifier
};

// The part of this home in a network that others founded.
struct JoinedAs {
    std::string network;        // its name
    std::string serve;          // a model of the catalogue; empty: none
    std::string advertise;      // host:port at which others reach this machine; empty: none does
    std::string operator_name;  // for everybody to see
    bool operator==(const JoinedAs&) const = default;
};

struct NetworkFile {
    std::uint16_t api_port = 0;
    std::vector<NetworkNode> nodes;
    std::size_t engine_threads = 0;                    // of each engine; 0: the engines share the processor's cores
    std::optional<JoinedAs> joined_as = std::nullopt;  // nothing where the whole network is in this home
};

// A text as YAML takes it, whatever is in it.
std::string yaml_text(const std::string& text);

class NetworkHome {
public:
    // $PLANETSERVE_HOME, else $XDG_DATA_HOME/planetserve/network, else that of ~/.local/share.
    static std::filesystem::path default_path();

    explicit NetworkHome(std::filesystem::path path) : path_(std::move(path)) {}

    const std::filesystem::path& path() const { return path_; }
    std::filesystem::path genesis() const { return path_ / "genesis.json"; }
    std::filesystem::path nodes() const { return path_ / "nodes"; }
    std::filesystem::path node(const std::string& name) const { return nodes() / name; }
    std::filesystem::path config(const std::string& name) const { return node(name) / "config.yaml"; }
    // The lines that a node's configuration begins with: what wrote it, its home, the genesis, where it listens.
    std::string config_head(const std::string& name, const std::string& written_by, const std::string& listen) const;
    // " --home PATH", for commands that a person is told; nothing where the home is the default one.
    std::string option() const;
    std::filesystem::path log(const std::string& name) const { return node(name) / "log"; }

    bool exists() const;
    Result<NetworkFile> load() const;
    Status save(const NetworkFile& network) const;

private:
    std::filesystem::path path_;
};

}  // namespace planetserve::local
