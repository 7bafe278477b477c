// The role of a model node as the runtime drives it: engines, the groups of their models, the model side of exchanges,
// and what the status endpoint shows.
#pragma once

#include <prometheus/registry.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "adapters/api/api_server.h"
#include "adapters/llama/http_engine.h"
#include "adapters/llama/managed_engine.h"
#include "adapters/llama/upstream_engine.h"
#include "adapters/vllm/kv_event_subscriber.h"
#include "adapters/vllm/vllm_tokenizer.h"
#include "config/model_config.h"
#include "inference/model_router.h"
#include "inference/request_gate.h"
#include "node/model_node.h"
#include "roles/model_metrics.h"
#include "roles/model_status.h"
#include "roles/runtime.h"
#include "signing/signing_service.h"

namespace planetserve::roles {

class ModelRole final : public RoleEvents, public adapters::ApiState {
public:
    // The runtime and the metrics outlive the role.
    ModelRole(Runtime& runtime, const config::RoutingConfig& routing, prometheus::Registry& metrics);

    // Prepares what serves a model; run() starts it.
    Status add(const config::ServedModelConfig& config);
    void run();
    void stop();

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        node_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { node_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { node_.on_drained(peer); }
    void on_timer() override;
    Time next_timer() const override;
    void on_list(const committee::DirectoryList& list) override;
    committee::Load load() const override;

    // What the node can serve now; empty while none of its engines is ready.
    std::optional<committee::NodeDescriptor> descriptor() const;
    bool engines_loading() const;
    bool engines_stopped() const;
    void on_engine_change(std::function<void()> handler) { engine_changed_ = std::move(handler); }

    std::vector<adapters::ServedModel> models() override;
    Status ready() override;
    std::string status_json() override;
    void refresh_metrics() override;

private:
    struct Served {
        committee::ServedModel model;
        std::uint32_t slots = 0;
        const adapters::ManagedEngine* engine = nullptr;  // one of the two
        const adapters::UpstreamEngine* upstream = nullptr;
        std::uint64_t kv_bytes = 0;  // keys and values of one token
    };

    // An engine that publishes what its cache holds, and the tokenizer that turns prompts into its tokens.
    struct Followed {
        std::string model;
        std::unique_ptr<adapters::HttpEngine> http;
        std::unique_ptr<adapters::VllmTokenizer> tokenizer;
        std::unique_ptr<adapters::KvEventSubscriber> events;
    };

    Status follow_cache(const config::ServedModelConfig& config);
    std::vector<CacheEventsStatus> cache_events() const;
    Result<inference::Service*> upstream(const config::ServedModelConfig& config, Served& served);
    static const adapters::EngineStatus& status_of(const Served& served);
    bool is_listed(const Served& served) const;
    Result<inference::Service*> managed(const config::ServedModelConfig& config, Served& served);
    void engine_changed(const std::string& model, const adapters::EngineStatus& status);

    Runtime& runtime_;
    config::RoutingConfig routing_;
    ModelMetrics metrics_;
    std::vector<std::unique_ptr<adapters::ManagedEngine>> engines_;
    std::vector<std::unique_ptr<signing::SigningService>> signed_;  // one around each engine
    std::vector<std::unique_ptr<adapters::UpstreamEngine>> upstreams_;
    std::vector<Served> served_;
    inference::ModelRouter router_;
    inference::RequestGate gate_;  // in front of the router
    node::ModelNode node_;
    std::vector<Followed> followed_;  // after the node: their handlers call it
    std::size_t listed_ = 0;          // models, at the last look
    Time router_timer_{};
    UnixTime started_;
    std::function<void()> engine_changed_;
};

}  // namespace planetserve::roles
