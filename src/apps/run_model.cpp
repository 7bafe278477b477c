// `planetserve model`: engines of this machine, or an upstream server, for askers of the overlay.

#include <prometheus/registry.h>

#include "apps/commands.h"
#include "apps/model_role.h"
#include "apps/status_endpoint.h"
#include "apps/terminal.h"

namespace planetserve::apps {

int run_model(const std::filesystem::path& file) {
    auto config = load_model_config(file);
    if (!config) return error_exit(config.error().message);
    Runtime runtime(config->common, wire::Role::model);
    prometheus::Registry metrics;
    ModelRole role(runtime, config->routing, metrics);
    for (const ServedModelConfig& model : config->models)
        if (auto added = role.add(model); !added) return error_exit(model.name + ": " + added.error().message);
    // The node is registered when its engines have loaded their models, and from then on with those that are ready: a
    // model that is listed can be had.
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
    if (config->status_listen) {
        auto opened = StatusEndpoint::open(*config->status_listen, runtime, role, metrics);
        if (!opened) return error_exit(opened.error().message);
        endpoint = std::move(*opened);
    }
    role.on_engine_change(tell);
    role.run();
    tell();
    int code = runtime.run(endpoint ? endpoint->url() : "", [&](std::function<void()> finished) {
        role.on_engine_change([&role, finished] {
            if (role.engines_stopped()) finished();
        });
        role.stop();
        if (role.engines_stopped()) finished();
    });
    endpoint.reset();
    return code;
}

}  // namespace planetserve::apps
