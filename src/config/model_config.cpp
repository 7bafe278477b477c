#include "config/model_config.h"

#include "config/yaml_reader.h"

namespace planetserve::config {

namespace {

void read_hash_bits(const YAML::Node& node, std::uint32_t& target) {
    const std::string text = read_text(node);
    if (text != "8" && text != "16" && text != "32") throw YAML::Exception(node.Mark(), "must be 8, 16 or 32");
    target = static_cast<std::uint32_t>(std::stoul(text));
}

// Switches off the named additions to the paper's decision.
void switch_off(const YAML::Node& list, RoutingConfig& routing) {
    if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
    routing::Parameters& decision = routing.decision;
    const std::map<std::string, bool*> additions{{"count_computing", &routing.count_computing},
                                                 {"count_in_flight", &decision.count_in_flight},
                                                 {"count_others", &decision.count_others},
                                                 {"expected_cost", &decision.expected_cost},
                                                 {"ignore_common_part", &decision.ignore_common_part},
                                                 {"prefer_partial_holders", &decision.prefer_partial_holders},
                                                 {"spread_ties", &decision.spread_ties}};
    for (const auto& item : list) {
        const std::string name = read_text(item);
        auto addition = additions.find(name);
        if (addition == additions.end())
            throw YAML::Exception(item.Mark(), "knows no '" + name + "'; there are: " + names_of(additions));
        *addition->second = false;
    }
}

}  // namespace

Result<ModelConfig> load_model_config(const std::filesystem::path& file) {
    ModelConfig config;
    RoutingConfig& routing = config.routing;
    Keys keys = common_keys(config.common);
    keys["models"] = models_into(config.models);
    keys["routing"] =
        mapping("routing.", {{"forwarding", into(routing.forwarding)},
                             {"sync_ms", within(routing.sync_ms, 100, 60'000)},
                             {"hash_bits", [&](const YAML::Node& node) { read_hash_bits(node, routing.hash_bits); }},
                             {"listed_for_ms", within(routing.listed_for_ms, 0, 600'000)},
                             {"adapt_array", into(routing.adapt_array)},
                             {"without", [&](const YAML::Node& list) { switch_off(list, routing); }}});
    keys["status"] = mapping("status.", {{"listen", into(config.status_listen)}});
    auto read = read_document(file, config.common, [&](const YAML::Node& node) {
        read_mapping(node, "", keys);
        check_common(config.common);
        if (config.models.empty()) refuse("the key 'models' must name at least one model");
    });
    if (!read) return std::unexpected(read.error());
    return config;
}

}  // namespace planetserve::config
