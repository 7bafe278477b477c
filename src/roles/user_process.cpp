#include "roles/node_processes.h"

#include <prometheus/registry.h>

#include "adapters/api/api_server.h"
#include "crypto/hash.h"
#include "roles/reload.h"
#include "roles/runtime.h"
#include "roles/user_role.h"

namespace planetserve::roles {

namespace {

constexpr Duration drain_deadline = 5s;  // for requests under way when the node stops

// The overlay as the API calls it. A call may set timers, so the runtime looks at them again.
class RearmingService final : public inference::Service {
public:
    RearmingService(inference::Service& service, Runtime& runtime) : service_(service), runtime_(runtime) {}
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        runtime_.rearm();
        return service_.start(std::move(request), sink);
    }

private:
    inference::Service& service_;
    Runtime& runtime_;
};

adapters::ApiOptions api_options(const config::UserConfig& config) {
    adapters::ApiOptions options;
    options.api_key = config.api_key;
    options.allowed_origins = config.api_allowed_origins;
    options.maximum_body = config.api_max_body;
    return options;
}

// For ids of requests: it follows from the node's identity, so that a request with an Idempotency-Key has the same id
// after a restart.
Bytes id_key(const Runtime& runtime) {
    const auto seed = runtime.keys().identity.seed();
    return to_bytes(crypto::derive_key({}, seed.bytes(), "planetserve request ids").bytes());
}

}  // namespace

Status run_user_node(const config::UserConfig& config) {
    Runtime runtime(config.common, user_node);
    UserRole role(runtime, config, runtime.links());
    RearmingService service(role.node().requests(), runtime);
    prometheus::Registry metrics;
    std::unique_ptr<adapters::ApiServer> api;
    std::optional<HttpService> http;
    if (config.api_listen) {
        auto listen = config::parse_listen(*config.api_listen);
        if (!listen) return std::unexpected(listen.error());
        adapters::ApiOptions options = api_options(config);
        options.listen = *listen;
        options.id_key = id_key(runtime);
        api =
            std::make_unique<adapters::ApiServer>(runtime.context(), options, service, role, metrics, runtime.random());
        auto bound = api->listen();
        if (!bound) return std::unexpected(bound.error());
        http = HttpService{"API", "http://" + bound->to_string()};
    }
    Reload reload(config.common.file, {"log_level", "api.key", "api.allowed_origins", "api.max_body"}, [&]() -> Status {
        auto fresh = config::load_user_config(config.common.file);
        if (!fresh) return std::unexpected(fresh.error());
        if (auto changed = api ? api->change(api_options(*fresh)) : Status{}; !changed) return changed;
        Runtime::set_log_level(fresh->common.log_level);
        return {};
    });
    runtime.on_hang_up([&reload] { reload.run(); });
    std::optional<committee::NodeDescriptor> descriptor;
    if (config.relay) descriptor.emplace().family = config.family;
    runtime.attach(role, std::move(descriptor));
    runtime.run(http, [&](std::function<void()> finished) {
        auto leave = [&role, finished = std::move(finished)] {
            role.node().requests().pool().shut_down();
            finished();
        };
        if (!api) return leave();
        api->drain(drain_deadline, leave);
    });
    api.reset();
    return {};
}

}  // namespace planetserve::roles
