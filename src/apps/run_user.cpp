// `planetserve user`: the owner's API over the overlay, and a relay for others.

#include <prometheus/registry.h>
#include <spdlog/spdlog.h>

#include "adapters/api/api_server.h"
#include "apps/commands.h"
#include "apps/runtime.h"
#include "apps/terminal.h"
#include "apps/user_status.h"

namespace planetserve::apps {

namespace {

node::UserNodeOptions options_of(const UserConfig& config) {
    node::UserNodeOptions options;
    options.pool.paths = config.paths;
    options.pool.length = config.path_length;
    options.pool.lifetime = std::chrono::seconds(config.path_lifetime_seconds);
    options.pool.rotate_before =
        std::min<std::chrono::milliseconds>(options.pool.rotate_before, options.pool.lifetime / 4);
    options.pool.entries.count = config.entry_relays;
    options.asker.threshold = {config.n, config.k};
    return options;
}

node::DirectoryView view_of(const committee::DirectoryList& list, const NodeId& self) {
    node::DirectoryView view;
    for (const auto& [id, entry] : list.entries) {
        if (!entry.descriptor) continue;
        const auto& descriptor = *entry.descriptor;
        if (descriptor.role == wire::Role::user && id != self)
            view.relays.push_back({id, descriptor.onion_key, descriptor.operator_name});
        if (descriptor.role != wire::Role::model) continue;
        node::ModelNodeInfo info{
            id, descriptor.onion_key, {}, descriptor.capacity, entry.load.running, entry.load.queued};
        for (const auto& model : descriptor.models) info.models.push_back(model.name);
        view.models.push_back(std::move(info));
    }
    return view;
}

class UserRole final : public RoleEvents, public adapters::ApiState {
public:
    UserRole(Runtime& runtime, const UserConfig& config)
        : runtime_(runtime),
          node_(runtime.keys(), options_of(config), runtime.links(), runtime.random(), runtime.clock()),
          entries_file_(runtime.home() / "entry_relays"),
          started_(runtime.clock().unix_now()) {
        if (auto kept = read_file(entries_file_)) {
            if (auto loaded = node_.asker().pool().entry_relays().load(*kept); !loaded)
                spdlog::warn("{}: {}", entries_file_.string(), loaded.error().message);
        }
    }

    node::UserNode& node() { return node_; }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        node_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { node_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { node_.on_drained(peer); }
    void on_timer() override { node_.on_timer(); }
    Time next_timer() const override { return node_.next_timer(); }
    void on_list(const committee::DirectoryList& list) override {
        node_.asker().update_directory(view_of(list, runtime_.keys().identity.id()));
        if (!node_.asker().pool().take_entries_changed()) return;
        if (auto written = write_file(entries_file_, node_.asker().pool().entry_relays().save()); !written)
            spdlog::warn("{}", written.error().message);
    }

    std::vector<adapters::ServedModel> models() override {
        std::vector<adapters::ServedModel> models;
        for (const auto& name : node::model_names(node_.asker().directory()))
            models.push_back({name, started_.milliseconds / 1000, "planetserve"});
        return models;
    }
    Status ready() override { return node_.asker().ready(); }
    std::string status_json() override {
        return user_status(runtime_.keys().identity.id(), node_, runtime_.directory(), runtime_.clock());
    }

private:
    Runtime& runtime_;
    node::UserNode node_;
    std::filesystem::path entries_file_;
    UnixTime started_;
};

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
    UserRole role(runtime, *config);
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
    int code = runtime.run(url, [&] {
        if (api) api->shut_down();
        role.node().asker().pool().shut_down();
    });
    api.reset();
    return code;
}

}  // namespace planetserve::apps
