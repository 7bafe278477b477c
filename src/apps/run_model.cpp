// `planetserve model`: engines of this machine, or an upstream server, for askers of the overlay.

#include <prometheus/registry.h>

#include "apps/commands.h"
#include "apps/model_role.h"
#include "apps/terminal.h"

namespace planetserve::apps {

namespace {

// The operator's endpoint shows the node's state; requests come over the overlay.
class NoService final : public inference::Service {
public:
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request, inference::ReplySink&) override {
        return fail(ErrorCode::invalid_argument,
                    "a model node's endpoint takes no requests; ask the API of a user node of this network");
    }
};

}  // namespace

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
    NoService no_service;
    std::unique_ptr<adapters::ApiServer> endpoint;
    std::string url;
    if (config->status_listen) {
        auto listen = parse_listen(*config->status_listen);
        if (!listen) return error_exit(listen.error().message);
        adapters::ApiOptions options;
        options.listen = *listen;
        options.maximum_body = 1 << 16;
        endpoint = std::make_unique<adapters::ApiServer>(runtime.context(), options, no_service, role, metrics,
                                                         runtime.random());
        auto bound = endpoint->listen();
        if (!bound) return error_exit("status: " + bound.error().message);
        url = "http://" + bound->to_string();
    }
    role.on_engine_change(tell);
    role.run();
    tell();
    int code = runtime.run(url, [&](std::function<void()> finished) {
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
