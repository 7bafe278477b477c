#include "roles/node_processes.h"

#include <prometheus/registry.h>

#include "roles/model_role.h"
#include "roles/reload.h"
#include "roles/status_endpoint.h"

namespace planetserve::roles {

Status run_model_node(const config::ModelConfig& config) {
    Runtime runtime(config.common, model_node);
    prometheus::Registry metrics;
    ModelRole role(runtime, config.routing, metrics);
    for (const config::ServedModelConfig& model : config.models)
        if (auto added = role.add(model); !added)
            return fail(added.error().code, model.name + ": " + added.error().message);
    // The node registers once its engines have loaded their models, and from then on lists those that are ready. So a
    // model that is listed can be used.
    bool attached = false;
    auto tell = [&] {
        if (!attached && role.engines_loading()) return;
        auto descriptor = role.descriptor();
        if (attached) return runtime.describe(std::move(descriptor));
        if (!descriptor) return;
        attached = true;
        runtime.attach(role, std::move(descriptor));
    };
    std::unique_ptr<StatusEndpoint> endpoint;
    if (config.status_listen) {
        auto opened = StatusEndpoint::open(*config.status_listen, runtime, role, metrics);
        if (!opened) return std::unexpected(opened.error());
        endpoint = std::move(*opened);
    }
    Reload reload(config.common.file, {"log_level"},
                  Reload::take_log_level(config.common.file, config::load_model_config));
    runtime.on_hang_up([&reload] { reload.run(); });
    role.on_engine_change(tell);
    role.run();
    tell();
    runtime.run(StatusEndpoint::service(endpoint.get()), [&](std::function<void()> finished) {
        role.on_engine_change([&role, finished] {
            if (role.engines_stopped()) finished();
        });
        role.stop();
        if (role.engines_stopped()) finished();
    });
    endpoint.reset();
    return {};
}

}  // namespace planetserve::roles
