#include "apps/config.h"

#include <yaml-cpp/yaml.h>

#include <functional>
#include <map>

#include "adapters/vllm/kv_event_subscriber.h"

namespace planetserve::apps {

namespace {

using Setter = std::function<void(const YAML::Node&)>;
using Keys = std::map<std::string, Setter>;

template <typename T>
Setter into(T& target) {
    return [&target](const YAML::Node& node) { target = node.as<T>(); };
}
template <typename T>
Setter into(std::optional<T>& target) {
    return [&target](const YAML::Node& node) { target = node.as<T>(); };
}
Setter into(std::filesystem::path& target) {
    return [&target](const YAML::Node& node) { target = node.as<std::string>(); };
}
Setter into(std::optional<std::filesystem::path>& target) {
    return [&target](const YAML::Node& node) { target = node.as<std::string>(); };
}
template <typename T>
Setter within(T& target, std::uint64_t least, std::uint64_t most) {
    return [&target, least, most](const YAML::Node& node) {
        auto value = node.as<std::uint64_t>();
        if (value < least || value > most)
            throw YAML::Exception(node.Mark(), "must be " + std::to_string(least) + " to " + std::to_string(most));
        target = static_cast<T>(value);
    };
}

Setter endpoint_into(std::optional<Endpoint>& target) {
    return [&target](const YAML::Node& node) {
        auto endpoint = Endpoint::parse(node.as<std::string>());
        if (!endpoint) throw YAML::Exception(node.Mark(), endpoint.error().message);
        target = *endpoint;
    };
}

// Applies the setters to a mapping; throws YAML::Exception naming the key.
void read_mapping(const YAML::Node& node, const std::string& where, const Keys& keys) {
    if (!node.IsMap()) throw YAML::Exception(node.Mark(), where + "must be a mapping of keys to values");
    for (const auto& item : node) {
        auto name = item.first.as<std::string>();
        auto key = keys.find(name);
        if (key == keys.end()) {
            std::string known;
            for (const auto& [other, setter] : keys) known += (known.empty() ? "" : ", ") + other;
            throw YAML::Exception(item.first.Mark(), "unknown key '" + where + name + "'; there are: " + known);
        }
        try {
            key->second(item.second);
        } catch (const YAML::Exception& error) {
            throw YAML::Exception(item.second.Mark(), "'" + where + name + "': " + error.msg);
        }
    }
}

Keys common_keys(CommonConfig& config) {
    return {{"home", into(config.home)},
            {"genesis", into(config.genesis)},
            {"listen", into(config.listen)},
            {"advertise", endpoint_into(config.advertise)},
            {"log_level",
             [&config](const YAML::Node& node) {
                 config.log_level = node.as<std::string>();
                 for (const char* known : {"trace", "debug", "info", "warn", "error", "critical", "off"})
                     if (config.log_level == known) return;
                 throw YAML::Exception(node.Mark(),
                                       "'log_level' is one of trace, debug, info, warn, error, critical, off");
             }},
            {"operator", into(config.operator_name)}};
}

// A socket of the engine's, as this machine reaches it.
Setter kv_endpoint_into(std::string& target) {
    return [&target](const YAML::Node& node) {
        target = node.as<std::string>();
        if (Status checked = adapters::check_kv_endpoint(target); !checked)
            throw YAML::Exception(node.Mark(), checked.error().message);
    };
}

void read_kv_events(const YAML::Node& node, std::optional<ServedModelConfig::KvEvents>& target) {
    ServedModelConfig::KvEvents events;
    std::string replay;
    read_mapping(node, "models.kv_events.",
                 {{"endpoint", kv_endpoint_into(events.endpoint)},
                  {"replay_endpoint", kv_endpoint_into(replay)},
                  {"topic", into(events.topic)}});
    if (events.endpoint.empty()) throw YAML::Exception(node.Mark(), "needs an 'endpoint'");
    if (!replay.empty()) events.replay_endpoint = replay;
    target = events;
}

Keys model_keys(ServedModelConfig& model) {
    return {{"name", into(model.name)},
            {"catalogue", into(model.catalogue)},
            {"file", into(model.file)},
            {"url", into(model.url)},
            {"sha256", into(model.sha256)},
            {"upstream", into(model.upstream)},
            {"upstream_key", into(model.upstream_key)},
            {"kv_events", [&model](const YAML::Node& node) { read_kv_events(node, model.kv_events); }},
            {"slots", within(model.slots, 1, 1024)},
            {"context", within(model.context, 128, 1 << 22)},
            {"threads", within(model.threads, 0, 1024)},
            {"cache_mib", within(model.cache_mib, 0, 1 << 20)},
            {"flash_attention", into(model.flash_attention)},
            {"queue", within(model.queue, 0, 10000)}};
}

// The additions to the paper's decision that are named do not count.
void switch_off(const YAML::Node& list, RoutingConfig& routing) {
    if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "'routing.without' must be a list");
    routing::Parameters& decision = routing.decision;
    const std::map<std::string, bool*> additions{{"count_computing", &routing.count_computing},
                                                 {"count_in_flight", &decision.count_in_flight},
                                                 {"count_others", &decision.count_others},
                                                 {"expected_cost", &decision.expected_cost},
                                                 {"ignore_common_part", &decision.ignore_common_part},
                                                 {"prefer_partial_holders", &decision.prefer_partial_holders},
                                                 {"spread_ties", &decision.spread_ties}};
    for (const auto& item : list) {
        auto name = item.as<std::string>();
        auto addition = additions.find(name);
        if (addition == additions.end()) {
            std::string known;
            for (const auto& [other, value] : additions) known += (known.empty() ? "" : ", ") + other;
            throw YAML::Exception(item.Mark(), "'routing.without' knows no '" + name + "'; there are: " + known);
        }
        *addition->second = false;
    }
}

void check_model(const ServedModelConfig& model) {
    if (model.name.empty()) throw YAML::Exception(YAML::Mark::null_mark(), "a model without a 'name'");
    int sources = (model.catalogue ? 1 : 0) + (model.file ? 1 : 0) + (model.url ? 1 : 0) + (model.upstream ? 1 : 0);
    if (sources != 1)
        throw YAML::Exception(YAML::Mark::null_mark(),
                              "model '" + model.name + "' needs exactly one of: catalogue, file, url, upstream");
    if (model.kv_events && !model.upstream)
        throw YAML::Exception(YAML::Mark::null_mark(), "model '" + model.name +
                                                           "' has 'kv_events', which only an 'upstream' that is vLLM "
                                                           "publishes");
    if (model.url && !model.sha256)
        throw YAML::Exception(YAML::Mark::null_mark(),
                              "model '" + model.name + "' is fetched by URL and needs its sha256");
}

// Runs the reader on the file's document, then checks what every role needs.
template <typename Config>
Result<Config> load(const std::filesystem::path& file, const std::function<void(const YAML::Node&, Config&)>& read) {
    Config config;
    try {
        read(YAML::LoadFile(file.string()), config);
        if (config.common.home.empty()) throw YAML::Exception(YAML::Mark::null_mark(), "the key 'home' is missing");
        if (config.common.genesis.empty())
            throw YAML::Exception(YAML::Mark::null_mark(), "the key 'genesis' is missing");
    } catch (const YAML::BadFile&) {
        return fail(ErrorCode::io, "cannot read the configuration " + file.string());
    } catch (const YAML::Exception& error) {
        std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
        return fail(ErrorCode::invalid_argument, file.string() + line + ": " + error.msg);
    }
    return config;
}

}  // namespace

Result<Endpoint> parse_listen(const std::string& text) {
    if (!text.ends_with(":0")) return Endpoint::parse(text);
    auto endpoint = Endpoint::parse(text.substr(0, text.size() - 1) + "1");
    if (endpoint) endpoint->port = 0;
    return endpoint;
}

Result<UserConfig> load_user_config(const std::filesystem::path& file) {
    return load<UserConfig>(file, [](const YAML::Node& node, UserConfig& config) {
        Keys api{{"listen", into(config.api_listen)},
                 {"key", into(config.api_key)},
                 {"max_body", within(config.api_max_body, 1, 1 << 30)}};
        Keys paths{{"count", within(config.paths, 1, 32)},
                   {"length", within(config.path_length, 1, 8)},
                   {"lifetime_seconds", within(config.path_lifetime_seconds, 60, 3600)},
                   {"n", within(config.n, 1, 32)},
                   {"k", within(config.k, 1, 32)},
                   {"entry_relays", within(config.entry_relays, 1, 64)}};
        Keys keys = common_keys(config.common);
        keys["api"] = [&](const YAML::Node& value) { read_mapping(value, "api.", api); };
        keys["paths"] = [&](const YAML::Node& value) { read_mapping(value, "paths.", paths); };
        read_mapping(node, "", keys);
        if (config.k > config.n)
            throw YAML::Exception(YAML::Mark::null_mark(), "'paths.k' must not be more than 'paths.n'");
        if (config.paths < config.n)
            throw YAML::Exception(YAML::Mark::null_mark(), "'paths.count' must be at least 'paths.n'");
    });
}

void read_models(const YAML::Node& list, std::vector<ServedModelConfig>& models) {
    if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
    for (const auto& item : list) {
        ServedModelConfig model;
        read_mapping(item, "models.", model_keys(model));
        check_model(model);
        models.push_back(std::move(model));
    }
}

Result<ModelConfig> load_model_config(const std::filesystem::path& file) {
    return load<ModelConfig>(file, [](const YAML::Node& node, ModelConfig& config) {
        Keys keys = common_keys(config.common);
        keys["models"] = [&](const YAML::Node& list) { read_models(list, config.models); };
        RoutingConfig& routing = config.routing;
        Keys routing_keys{{"forwarding", into(routing.forwarding)},
                          {"sync_ms", within(routing.sync_ms, 100, 60'000)},
                          {"hash_bits",
                           [&](const YAML::Node& value) {
                               routing.hash_bits = value.as<std::uint32_t>();
                               if (routing.hash_bits != 8 && routing.hash_bits != 16 && routing.hash_bits != 32)
                                   throw YAML::Exception(value.Mark(), "'routing.hash_bits' is 8, 16 or 32");
                           }},
                          {"listed_for_ms", within(routing.listed_for_ms, 0, 600'000)},
                          {"adapt_array", into(routing.adapt_array)},
                          {"without", [&](const YAML::Node& list) { switch_off(list, routing); }}};
        Keys status{{"listen", into(config.status_listen)}};
        keys["routing"] = [&](const YAML::Node& value) { read_mapping(value, "routing.", routing_keys); };
        keys["status"] = [&](const YAML::Node& value) { read_mapping(value, "status.", status); };
        read_mapping(node, "", keys);
        if (config.models.empty())
            throw YAML::Exception(YAML::Mark::null_mark(), "the key 'models' must name at least one model");
    });
}

Result<VerifierConfig> load_verifier_config(const std::filesystem::path& file) {
    return load<VerifierConfig>(file, [](const YAML::Node& node, VerifierConfig& config) {
        Keys consensus{{"listen", endpoint_into(config.consensus_listen)}, {"program", into(config.consensus_program)}};
        adapters::StateSync sync;
        Keys sync_keys{{"servers",
                        [&](const YAML::Node& list) {
                            for (const auto& item : list) sync.servers.push_back(item.as<std::string>());
                        }},
                       {"height", within(sync.height, 1, INT64_MAX)},
                       {"hash", into(sync.hash)}};
        consensus["state_sync"] = [&](const YAML::Node& value) {
            read_mapping(value, "consensus.state_sync.", sync_keys);
            if (sync.servers.size() < 2 || sync.height == 0 || sync.hash.size() != 64)
                throw YAML::Exception(value.Mark(), "needs two 'servers' at least, a 'height' and the block's 'hash'");
            config.state_sync = sync;
        };
        Keys status{{"listen", into(config.status_listen)}};
        Keys keys = common_keys(config.common);
        keys["models"] = [&](const YAML::Node& list) {
            read_models(list, config.models);
            for (const ServedModelConfig& model : config.models)
                if (model.upstream)
                    throw YAML::Exception(list.Mark(),
                                          "'models.upstream' is for model nodes; a verification node scores "
                                          "by a copy of its own: 'catalogue', 'file' or 'url'");
        };
        keys["prompt_pool"] = into(config.prompt_pool);
        keys["consensus"] = [&](const YAML::Node& value) { read_mapping(value, "consensus.", consensus); };
        keys["status"] = [&](const YAML::Node& value) { read_mapping(value, "status.", status); };
        read_mapping(node, "", keys);
    });
}

}  // namespace planetserve::apps
