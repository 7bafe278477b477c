#include "config/user_config.h"

#include "config/yaml_reader.h"

namespace planetserve::config {

Result<UserConfig> load_user_config(const std::filesystem::path& file) {
    UserConfig config;
    Keys keys = common_keys(config.common);
    keys["api"] = mapping("api.", {{"listen", into(config.api_listen)},
                                   {"key", into(config.api_key)},
                                   {"max_body", within(config.api_max_body, 1, 1 << 30)}});
    keys["paths"] = mapping("paths.", {{"count", within(config.paths, 1, 32)},
                                       {"length", within(config.path_length, 1, 8)},
                                       {"lifetime_seconds", within(config.path_lifetime_seconds, 60, 3600)},
                                       {"n", within(config.n, 1, 32)},
                                       {"k", within(config.k, 1, 32)},
                                       {"entry_relays", within(config.entry_relays, 1, 64)}});
    auto read = read_document(file, [&](const YAML::Node& node) {
        read_mapping(node, "", keys);
        check_common(config.common);
        if (config.k > config.n) refuse("'paths.k' must not be more than 'paths.n'");
        if (config.paths < config.n) refuse("'paths.count' must be at least 'paths.n'");
    });
    if (!read) return std::unexpected(read.error());
    return config;
}

}  // namespace planetserve::config
