#include "roles/model_metrics.h"

namespace planetserve::roles {

void ModelMetrics::set(const std::string& name, const std::string& help, const std::string& model, double value) {
    auto& family = families_[name];
    if (family == nullptr) family = &prometheus::BuildGauge().Name(name).Help(help).Register(registry_);
    family->Add(model.empty() ? prometheus::Labels{} : prometheus::Labels{{"model", model}}).Set(value);
}

void ModelMetrics::update(const std::vector<node::ModelGroupStatus>& groups,
                          const std::vector<CacheEventsStatus>& cache_events, const exchange::ModelSide& server) {
    for (const auto& group : groups) {
        auto value = [&](const char* name, const char* help, auto number) {
            set(std::string("planetserve_model_") + name, help, group.model, static_cast<double>(number));
        };
        value("requests_queued", "requests that run or wait", group.load.queued);
        value("requests_entered_total", "requests that users sent to this node", group.entered);
        value("requests_forwarded_total", "of those, forwarded to other nodes", group.forwarded);
        value("runs_total", "requests that ran here", group.run);
        value("prompt_tokens_total", "tokens of their prompts, as the engine counts", group.prompt_tokens);
        value("cached_tokens_total", "of those, what the engine had cached", group.cached_tokens);
        value("expected_cached_tokens_total", "of those, what the group expected to be cached", group.expected_tokens);
        value("tree_prefixes", "entries of the group's tree", group.tree_prefixes);
        value("sync_bytes_sent_total", "bytes of sync to other nodes", group.sync.bytes_sent);
        value("sync_bytes_received_total", "bytes of sync from other nodes", group.sync.bytes_received);
    }
    for (const auto& one : cache_events) {
        auto value = [&](const char* name, const char* help, auto number) {
            set(std::string("planetserve_model_kv_events_") + name, help, one.model, static_cast<double>(number));
        };
        value("following", "1 while the engine's KV events flow", one.events.state == "following" ? 1 : 0);
        value("batches_total", "batches of them", one.events.order.delivered);
        value("unreadable_total", "batches that could not be read", one.events.order.unreadable);
        value("losses_total", "times that events were lost for good", one.events.order.losses);
    }
    set("planetserve_exchanges", "exchanges that are open", "", static_cast<double>(server.exchanges()));
}

}  // namespace planetserve::roles
