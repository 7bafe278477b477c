#include "config/served_model.h"

#include "config/yaml_reader.h"
#include "kvevents/kv_endpoint.h"

namespace planetserve::config {

namespace {

Setter kv_endpoint_into(std::string& target) {
    return [&target](const YAML::Node& node) {
        target = read_text(node);
        if (auto checked = kvevents::check_kv_endpoint(target); !checked)
            throw YAML::Exception(node.Mark(), checked.error().message);
    };
}
Setter kv_endpoint_into(std::optional<std::string>& target) {
    return [&target](const YAML::Node& node) { kv_endpoint_into(target.emplace())(node); };
}

void read_kv_events(const YAML::Node& node, std::optional<KvEventsConfig>& target) {
    KvEventsConfig& events = target.emplace();
    read_mapping(node, "models.kv_events.",
                 {{"endpoint", kv_endpoint_into(events.endpoint)},
                  {"replay_endpoint", kv_endpoint_into(events.replay_endpoint)},
                  {"topic", into(events.topic)}});
    if (events.endpoint.empty()) throw YAML::Exception(node.Mark(), "needs an 'endpoint'");
}

Keys model_keys(ServedModelConfig& model) {
    return {{"name", into(model.name)},
            {"catalogue", into(model.catalogue)},
            {"file", into(model.file)},
            {"url", into(model.url)},
            {"sha256", into(model.sha256)},
            {"upstream", into(model.upstream)},
            {"upstream_key", into(model.upstream_key)},
            {"media_hosts", into(model.media_hosts)},
            {"grammars", into(model.grammars)},
            {"kv_events", [&model](const YAML::Node& node) { read_kv_events(node, model.kv_events); }},
            {"slots", within(model.slots, 1, 1024)},
            {"context", within(model.context, 128, 1 << 22)},
            {"threads", within(model.threads, 0, 1024)},
            {"cache_mib", within(model.cache_mib, 0, 1 << 20)},
            {"flash_attention", into(model.flash_attention)},
            {"queue", within(model.queue, 0, 10000)}};
}

void check_model(const ServedModelConfig& model) {
    if (model.name.empty()) refuse("a model without a 'name'");
    const int sources = static_cast<int>(model.catalogue.has_value()) + static_cast<int>(model.file.has_value()) +
                        static_cast<int>(model.url.has_value()) + static_cast<int>(model.upstream.has_value());
    if (sources != 1) refuse("model '" + model.name + "' needs exactly one of: catalogue, file, url, upstream");
    if (!model.media_hosts.empty() && !model.upstream)
        refuse("model '" + model.name + "' has 'media_hosts', and only an 'upstream' reads pictures");
    if (model.kv_events && !model.upstream)
        refuse("model '" + model.name + "' has 'kv_events', which only an 'upstream' that is vLLM publishes");
    if (model.url && !model.sha256) refuse("model '" + model.name + "' is fetched by URL and needs its sha256");
}

}  // namespace

Setter models_into(std::vector<ServedModelConfig>& models) {
    return [&models](const YAML::Node& list) {
        if (!list.IsSequence()) throw YAML::Exception(list.Mark(), "must be a list");
        for (const auto& item : list) {
            ServedModelConfig model;
            read_mapping(item, "models.", model_keys(model));
            check_model(model);
            models.push_back(std::move(model));
        }
    };
}

}  // namespace planetserve::config
