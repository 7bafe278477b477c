#include "config/user_config.h"

#include <algorithm>

#include "config/yaml_reader.h"

namespace planetserve::config {

namespace {

// As the Fetch standard serializes one: a scheme and a host, no path. Not "*" and not "null": both are any page.
bool is_origin(std::string_view text) {
    static constexpr std::string_view between = "://";
    const std::size_t end = text.find(between);
    if (end == std::string_view::npos || end == 0) return false;
    const std::string_view host = text.substr(end + between.size());
    auto fits = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '+' || c == ':' ||
               c == '[' || c == ']' || c == '_';
    };
    return !host.empty() && std::ranges::all_of(text.substr(0, end), fits) && std::ranges::all_of(host, fits);
}

Setter origins_into(std::vector<std::string>& target) {
    return [&target](const YAML::Node& list) {
        if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
        for (const auto& item : list) {
            const std::string origin = read_text(item);
            if (!is_origin(origin))
                throw YAML::Exception(item.Mark(), "'" + origin +
                                                       "' is not a page's origin as browsers name it, such as "
                                                       "https://example.org or http://localhost:3000, without a path");
            target.push_back(origin);
        }
    };
}

constexpr std::size_t maximum_family = 64;  // of a descriptor

std::vector<NodeId> read_family(const YAML::Node& list) {
    if (!list.IsSequence() || list.size() > maximum_family)
        throw YAML::Exception(list.Mark(), "must be a list of at most 64 node ids");
    std::vector<NodeId> family;
    for (const auto& item : list) {
        auto id = NodeId::from_hex(read_text(item));
        if (!id) throw YAML::Exception(item.Mark(), "must be node ids, of 64 hexadecimal digits each");
        family.push_back(*id);
    }
    return family;
}

}  // namespace

Result<UserConfig> load_user_config(const std::filesystem::path& file) {
    UserConfig config;
    Keys keys = common_keys(config.common);
    keys["family"] = [&config](const YAML::Node& node) { config.family = read_family(node); };
    keys["relay"] = mapping("relay.", {{"enabled", into(config.relay)}});
    keys["api"] = mapping("api.", {{"listen", into(config.api_listen)},
                                   {"key", into(config.api_key)},
                                   {"allowed_origins", origins_into(config.api_allowed_origins)},
                                   {"max_body", within(config.api_max_body, 1, 1 << 30)}});
    keys["paths"] = mapping("paths.", {{"count", within(config.paths, 1, 32)},
                                       {"length", within(config.path_length, 1, 8)},
                                       {"lifetime_seconds", within(config.path_lifetime_seconds, 60, 3600)},
                                       {"n", within(config.n, 1, dispersal::largest_n)},
                                       {"k", within(config.k, 1, dispersal::largest_n)},
                                       {"entry_relays", within(config.entry_relays, 1, 64)}});
    auto read = read_document(file, config.common, [&](const YAML::Node& node) {
        read_mapping(node, "", keys);
        check_common(config.common);
        if (config.api_key && config.api_key->empty())
            refuse("'api.key' is empty; leave it out where no key is needed");
        if (config.k > config.n) refuse("'paths.k' must not be more than 'paths.n'");
        // A model node would refuse it.
        if (config.k <= config.n && !dispersal::acceptable({config.n, config.k}))
            refuse("'paths.n' must not be more than twice 'paths.k'");
        if (config.paths < config.n) refuse("'paths.count' must be at least 'paths.n'");
    });
    if (!read) return std::unexpected(read.error());
    return config;
}

}  // namespace planetserve::config
