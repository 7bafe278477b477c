// `planetserve user`: the owner's API over the overlay, and a relay for others.

#include <prometheus/registry.h>

#include "adapters/api/api_server.h"
#include "apps/commands.h"
#include "apps/runtime.h"
#include "apps/terminal.h"
#include "apps/user_role.h"

namespace planetserve::apps {

namespace {

// What requests under way get at the end.
constexpr Duration drain_deadline = 5s;

// The overlay as the API calls it: each call may have set timers.
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

}  // namespace

int run_user(const std::filesystem::path& file) {
    auto config = load_user_config(file);
    if (!config) return error_exit(config.error().message);
    Runtime runtime(config->common, wire::Role::user);
    UserRole role(runtime, *config, runtime.links());
    RearmingService service(role.node().asker(), runtime);
    prometheus::Registry metrics;
    std::unique_ptr<adapters::ApiServer> api;
    std::string url;
    if (config->api_listen) {
        auto listen = parse_listen(*config->api_listen);
        if (!listen) return error_exit(listen.error().message);
        adapters::ApiOptions options;
        options.listen = *listen;
        options.api_key = config->api_key;
        options.maximum_body = config->api_max_body;
        api =
            std::make_unique<adapters::ApiServer>(runtime.context(), options, service, role, metrics, runtime.random());
        auto bound = api->listen();
        if (!bound) return error_exit(bound.error().message);
        url = "http://" + bound->to_string();
    }
    runtime.attach(role, committee::NodeDescriptor{});
    int code = runtime.run(url, [&](std::function<void()> finished) {
        auto leave = [&role, finished = std::move(finished)] {
            role.node().asker().pool().shut_down();
            finished();
        };
        if (!api) return leave();
        api->drain(drain_deadline, leave);
    });
    api.reset();
    return code;
}

}  // namespace planetserve::apps
