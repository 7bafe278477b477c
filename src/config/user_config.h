// The configuration of a user node (configs/user.example.yaml).
#pragma once

#include <string>
#include <vector>

#include "base/ids.h"
#include "config/common.h"
#include "dispersal/clove.h"
#include "onion/path_pool.h"

namespace planetserve::config {

struct UserConfig {
    CommonConfig common;
    std::vector<NodeId> family;  // the operator's other nodes
    // Whether others may build paths through this node. A node that nobody reaches should not offer it.
    bool relay = true;
    std::optional<std::string> api_listen;  // "127.0.0.1:8400"; no API without it
    std::optional<std::string> api_key;
    // Web pages that may ask and read the answers, as browsers name them: "https://example.org".
    std::vector<std::string> api_allowed_origins;
    std::size_t api_max_body = 16 << 20;  // bytes
    // The defaults of the path pool and of dispersal are theirs.
    std::size_t paths = onion::PoolOptions{}.paths;
    std::size_t path_length = onion::PoolOptions{}.length;
    std::uint64_t path_lifetime_seconds =
        std::chrono::duration_cast<std::chrono::seconds>(onion::PoolOptions{}.lifetime).count();
    std::uint8_t n = dispersal::Threshold{}.n;
    std::uint8_t k = dispersal::Threshold{}.k;
    std::size_t entry_relays = onion::EntryRelayOptions{}.count;
};

Result<UserConfig> load_user_config(const std::filesystem::path& file);

}  // namespace planetserve::config
