#include "config/verifier_config.h"

#include "config/yaml_reader.h"

namespace planetserve::config {

namespace {

constexpr std::size_t fewest_servers = 2;  // CometBFT compares what they say
constexpr std::size_t hash_digits = 64;

void read_state_sync(const YAML::Node& node, std::optional<StateSyncConfig>& target) {
    StateSyncConfig& sync = target.emplace();
    read_mapping(node, "consensus.state_sync.",
                 {{"servers",
                   [&](const YAML::Node& list) {
                       if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
                       for (const auto& item : list) sync.servers.push_back(read_text(item));
                   }},
                  {"height", within(sync.height, 1, INT64_MAX)},
                  {"hash", into(sync.hash)}});
    if (sync.servers.size() < fewest_servers || sync.height == 0 || sync.hash.size() != hash_digits)
        throw YAML::Exception(node.Mark(), "needs at least two 'servers', a 'height' and the block's 'hash'");
}

}  // namespace

Result<VerifierConfig> load_verifier_config(const std::filesystem::path& file) {
    VerifierConfig config;
    Keys keys = common_keys(config.common);
    keys["models"] = models_into(config.models);
    keys["prompt_pool"] = into(config.prompt_pool);
    keys["status"] = mapping("status.", {{"listen", into(config.status_listen)}});
    keys["consensus"] = mapping(
        "consensus.", {{"listen", into(config.consensus_listen)},
                       {"program", into(config.consensus_program)},
                       {"state_sync", [&](const YAML::Node& node) { read_state_sync(node, config.state_sync); }}});
    auto read = read_document(file, config.common, [&](const YAML::Node& node) {
        read_mapping(node, "", keys);
        check_common(config.common);
        for (const ServedModelConfig& model : config.models)
            if (model.upstream)
                refuse(
                    "'models.upstream' is for model nodes; a verification node scores by a copy of its own: "
                    "'catalogue', 'file' or 'url'");
    });
    if (!read) return std::unexpected(read.error());
    return config;
}

}  // namespace planetserve::config
