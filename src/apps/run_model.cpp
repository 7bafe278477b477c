// `planetserve model`: engines of this machine, or an upstream server, for askers of the overlay.

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdlib>

#include "adapters/llama/http_engine.h"
#include "adapters/llama/managed_engine.h"
#include "apps/commands.h"
#include "apps/model_file.h"
#include "apps/runtime.h"
#include "apps/terminal.h"
#include "inference/model_router.h"
#include "node/model_node.h"

namespace planetserve::apps {

namespace {

Result<std::filesystem::path> engine_program() {
    const char* directory = std::getenv("PLANETSERVE_ENGINE");
    std::filesystem::path program =
        std::filesystem::path(directory == nullptr ? "" : directory) / "bin" / "llama-server";
    if (directory == nullptr || !std::filesystem::exists(program))
        return fail(ErrorCode::not_found,
                    "llama-server is not built; run ./planetserve model, which builds it, or set PLANETSERVE_ENGINE to "
                    "its directory");
    return program;
}

class ModelRole final : public RoleEvents {
public:
    ModelRole(Runtime& runtime)
        : runtime_(runtime),
          router_([&runtime](std::function<void()> run) { boost::asio::post(runtime.context(), std::move(run)); },
                  runtime.clock()),
          node_(runtime.keys(), {}, runtime.links(), router_, runtime.random(), runtime.clock()) {}

    // Prepares what serves the model; run() starts it.
    Status add(const ServedModelConfig& config) {
        Served served{{config.name, config.context, config.upstream ? "upstream" : "llama.cpp", !config.upstream, {}},
                      config.slots,
                      nullptr};
        auto service = config.upstream ? upstream(config) : managed(config, served);
        if (!service) return std::unexpected(service.error());
        router_.add(config.name, **service, {.capacity = config.slots, .queue = config.queue});
        served_.push_back(std::move(served));
        return {};
    }

    void on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) override {
        node_.on_frame(from, type, payload);
    }
    void on_link_down(const NodeId& peer) override { node_.on_link_down(peer); }
    void on_drained(const NodeId& peer) override { node_.on_drained(peer); }
    void on_timer() override {
        node_.on_timer();
        if (runtime_.clock().now() < router_timer_) return;
        router_timer_ = runtime_.clock().now() + 1s;
        router_.on_timer();
    }
    Time next_timer() const override { return std::min(node_.next_timer(), router_timer_); }
    void on_list(const committee::DirectoryList&) override {}
    committee::Load load() const override {
        auto all = router_.stats().all;
        auto latency = all.average_service
                           ? std::chrono::duration_cast<std::chrono::milliseconds>(*all.average_service).count()
                           : 0;
        return {static_cast<std::uint32_t>(all.running), static_cast<std::uint32_t>(all.queued),
                static_cast<std::uint32_t>(latency)};
    }

    // What the node can serve now; nothing while none of its engines is ready.
    std::optional<committee::NodeDescriptor> descriptor() const {
        committee::NodeDescriptor descriptor;
        for (const Served& served : served_) {
            if (served.engine != nullptr && served.engine->status().state != adapters::EngineState::ready) continue;
            descriptor.models.push_back(served.model);
            descriptor.capacity += served.slots;
        }
        if (descriptor.models.empty()) return std::nullopt;
        return descriptor;
    }
    bool engines_loading() const {
        return std::any_of(engines_.begin(), engines_.end(), [](const auto& engine) {
            return engine->status().state == adapters::EngineState::starting && engine->restarts() == 0;
        });
    }
    bool engines_stopped() const {
        return std::all_of(engines_.begin(), engines_.end(),
                           [](const auto& engine) { return engine->status().state == adapters::EngineState::stopped; });
    }
    void stop() {
        for (auto& engine : engines_) engine->stop();
    }
    void on_engine_change(std::function<void()> handler) { engine_changed_ = std::move(handler); }
    void run() {
        for (auto& engine : engines_) engine->run();
    }

private:
    struct Served {
        committee::ServedModel model;
        std::uint32_t slots = 0;
        const adapters::ManagedEngine* engine = nullptr;  // none for an upstream
    };

    Result<inference::Service*> upstream(const ServedModelConfig& config) {
        auto target = adapters::HttpTarget::parse(*config.upstream);
        if (!target) return std::unexpected(target.error());
        adapters::HttpEngineOptions options;
        options.target = *target;
        options.bearer_key = config.upstream_key;
        upstreams_.push_back(std::make_unique<adapters::HttpEngine>(runtime_.context(), options));
        return upstreams_.back().get();
    }
    Result<inference::Service*> managed(const ServedModelConfig& config, Served& served) {
        auto program = engine_program();
        if (!program) return std::unexpected(program.error());
        auto file = model_file(config);
        if (!file) return std::unexpected(file.error());
        adapters::ManagedEngineOptions options;
        options.program = *program;
        options.model_file = file->file;
        if (file->sha256 != crypto::Digest{})
            served.model.weights_sha256.assign(file->sha256.begin(), file->sha256.end());
        options.alias = config.name;
        options.slots = config.slots;
        options.context = config.context;
        options.threads = config.threads;
        options.cache_mib = config.cache_mib;
        std::string number = std::to_string(engines_.size());
        options.socket = runtime_.home() / ("engine-" + number + ".sock");
        options.log = runtime_.home() / ("engine-" + number + ".log");
        engines_.push_back(std::make_unique<adapters::ManagedEngine>(
            runtime_.context(), options, [this, name = config.name](const adapters::EngineStatus& status) {
                spdlog::info("engine of {}: {}{}{}", name, adapters::to_string(status.state),
                             status.reason.empty() ? "" : ": ", status.reason);
                if (engine_changed_) engine_changed_();
            }));
        served.engine = engines_.back().get();
        return engines_.back().get();
    }

    Runtime& runtime_;
    std::vector<std::unique_ptr<adapters::ManagedEngine>> engines_;
    std::vector<std::unique_ptr<adapters::HttpEngine>> upstreams_;
    std::vector<Served> served_;
    inference::ModelRouter router_;
    node::ModelNode node_;
    Time router_timer_{};
    std::function<void()> engine_changed_;
};

}  // namespace

int run_model(const std::filesystem::path& file) {
    auto config = load_model_config(file);
    if (!config) return error_exit(config.error().message);
    Runtime runtime(config->common, wire::Role::model);
    ModelRole role(runtime);
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
    role.on_engine_change(tell);
    role.run();
    tell();
    return runtime.run("", [&](std::function<void()> finished) {
        role.on_engine_change([&role, finished] {
            if (role.engines_stopped()) finished();
        });
        role.stop();
        if (role.engines_stopped()) finished();
    });
}

}  // namespace planetserve::apps
