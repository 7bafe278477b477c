#include "roles/model_role.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdlib>

#include "adapters/llama/gguf.h"
#include "roles/engine_program.h"
#include "roles/model_file.h"
#include "roles/model_status.h"

namespace planetserve::roles {

namespace {

routing::Trust trust_of(const std::optional<committee::Reputations>& reputations, const NodeId& node) {
    return committee::is_trusted(reputations, node) ? routing::Trust::trusted : routing::Trust::not_trusted;
}

// For turning a prompt into tokens. No request waits for it.
constexpr Duration tokenize_deadline = 10s;

// Keys and values of one token, for an upstream engine, which does not say.
constexpr std::uint64_t usual_kv_bytes = 32 << 10;

constexpr std::uint64_t bytes_of_text_per_token = 4;

// A model stays listed while its engine restarts, for so long: to be unlisted and listed again takes longer than most
// restarts, and requests that end engines would empty the list of a model.
constexpr Duration restart_grace = 10s;

// Between two looks at the queues of requests.
constexpr Duration router_period = 1s;

// What the engine's slots and its cache in main memory hold, in bytes of text. The engine's reports correct it.
std::uint64_t cache_bytes(const config::ServedModelConfig& model, std::uint64_t kv_bytes) {
    const std::uint64_t slots = std::uint64_t{model.slots} * model.context;
    const std::uint64_t kept = (std::uint64_t{model.cache_mib} << 20) / kv_bytes;
    return bytes_of_text_per_token * (slots + kept);
}

inference::Defer defer_by(Runtime& runtime) {
    return [&runtime](std::function<void()> run) { boost::asio::post(runtime.context(), std::move(run)); };
}

inference::EngineTraits traits_of(const config::ServedModelConfig& model) {
    using Kind = inference::EngineTraits::Kind;
    return {.kind = model.upstream ? Kind::other : Kind::llama_server,
            .context = model.context,
            .grammars = model.grammars,
            .media_hosts = model.media_hosts};
}

node::ModelGroupOptions group_options(const config::RoutingConfig& routing, const config::ServedModelConfig& model,
                                      std::uint64_t kv_bytes) {
    node::ModelGroupOptions options;
    options.capacity = model.slots;
    options.enabled = routing.forwarding;
    routing::MemberOptions& member = options.member;
    member.width = static_cast<routing::HashWidth>(routing.hash_bits);
    member.sync_period = std::chrono::milliseconds(routing.sync_ms);
    member.decision = routing.decision;
    member.adapt_array = routing.adapt_array;
    member.count_computing = routing.count_computing;
    member.listed_for = std::chrono::milliseconds(routing.listed_for_ms);
    member.cache_bytes = cache_bytes(model, kv_bytes);
    member.follow_cache = model.kv_events.has_value();
    return options;
}

}  // namespace

ModelRole::ModelRole(Runtime& runtime, const config::RoutingConfig& routing, prometheus::Registry& metrics)
    : runtime_(runtime),
      routing_(routing),
      metrics_(metrics),
      router_(defer_by(runtime), runtime.clock()),
      gate_(router_, inference::RequestLimits{}, defer_by(runtime)),
      node_(runtime.keys(),
            {.stats = [this] { return router_.stats(); },
             .incarnation = static_cast<routing::Incarnation>(runtime.clock().unix_now().milliseconds)},
            runtime.links(), gate_, runtime.random(), runtime.clock()),
      started_(runtime.clock().unix_now()) {
    node_.groups().on_wake([this] { runtime_.rearm(); });
}

Status ModelRole::add(const config::ServedModelConfig& config) {
    Served served{{config.name, config.context, config.upstream ? "upstream" : "llama.cpp", !config.upstream, {}},
                  config.slots,
                  nullptr,
                  nullptr,
                  usual_kv_bytes};
    auto service = config.upstream ? upstream(config, served) : managed(config, served);
    if (!service) return std::unexpected(service.error());
    gate_.add(config.name, traits_of(config));
    router_.add(config.name, **service, {.capacity = config.slots, .queue = config.queue});
    node_.groups().add(config.name, group_options(routing_, config, served.kv_bytes));
    served_.push_back(std::move(served));
    return config.kv_events ? follow_cache(config) : Status{};
}

Status ModelRole::follow_cache(const config::ServedModelConfig& config) {
    auto target = adapters::HttpTarget::parse(*config.upstream);
    if (!target) return std::unexpected(target.error());
    adapters::HttpEngineOptions options;
    options.target = *target;
    options.bearer_key = config.upstream_key;
    options.head_deadline = options.body_deadline = tokenize_deadline;
    options.connections = adapters::VllmTokenizer::at_once;
    options.idle_connections = 2;
    Followed followed;
    followed.model = config.name;
    followed.http = std::make_unique<adapters::HttpEngine>(runtime_.context(), options);
    followed.tokenizer = std::make_unique<adapters::VllmTokenizer>(runtime_.context(), *followed.http);
    const std::string& model = config.name;
    adapters::KvEventHandlers handlers{
        .on_events = [this, model](const auto& events) { node_.groups().on_cache_events(model, events); },
        .on_start_over =
            [this, model](kvevents::Knowledge knowledge) {
                node_.groups().on_cache_unknown(model, knowledge == kvevents::Knowledge::complete);
            },
        .on_note =
            [model](const std::string& line, adapters::KvNote note) {
                spdlog::log(note == adapters::KvNote::problem ? spdlog::level::warn : spdlog::level::info,
                            "engine of {}: {}", model, line);
            }};
    followed.events = std::make_unique<adapters::KvEventSubscriber>(
        runtime_.context(),
        adapters::KvEventOptions{.endpoint = config.kv_events->endpoint,
                                 .replay_endpoint = config.kv_events->replay_endpoint,
                                 .topic = config.kv_events->topic},
        std::move(handlers));
    node_.groups().follow_cache(config.name, *followed.tokenizer);
    followed_.push_back(std::move(followed));
    return {};
}

Result<inference::Service*> ModelRole::upstream(const config::ServedModelConfig& config, Served& served) {
    auto target = adapters::HttpTarget::parse(*config.upstream);
    if (!target) return std::unexpected(target.error());
    adapters::HttpEngineOptions options;
    options.target = *target;
    options.bearer_key = config.upstream_key;
    upstreams_.push_back(std::make_unique<adapters::UpstreamEngine>(
        runtime_.context(), runtime_.clock(), options, config.name,
        [this, name = config.name](const adapters::EngineStatus& status) { engine_changed(name, status); },
        [name = config.name](const std::string& note) { spdlog::warn("engine of {}: {}", name, note); }));
    served.upstream = upstreams_.back().get();
    return upstreams_.back().get();
}

Result<inference::Service*> ModelRole::managed(const config::ServedModelConfig& config, Served& served) {
    auto program = engine_program();
    if (!program) return std::unexpected(program.error());
    auto file = model_file(config);
    if (!file) return std::unexpected(file.error());
    adapters::ManagedEngineOptions options;
    options.program = *program;
    options.model_file = file->file;
    if (file->sha256 != crypto::Digest{}) served.model.weights_sha256.assign(file->sha256.begin(), file->sha256.end());
    if (auto bytes = adapters::kv_bytes_per_token(file->file))
        served.kv_bytes = *bytes;
    else
        spdlog::warn("{}: {}; the node assumes the cache of a usual model", file->file.string(), bytes.error().message);
    options.alias = config.name;
    options.slots = config.slots;
    options.context = config.context;
    options.threads = config.threads;
    options.cache_mib = config.cache_mib;
    options.flash_attention = config.flash_attention;
    std::string number = std::to_string(engines_.size());
    options.socket = runtime_.home() / ("engine-" + number + ".sock");
    options.log = runtime_.home() / ("engine-" + number + ".log");
    engines_.push_back(std::make_unique<adapters::ManagedEngine>(
        runtime_.context(), options,
        [this, name = config.name](const adapters::EngineStatus& status) { engine_changed(name, status); }));
    served.engine = engines_.back().get();
    std::optional<scoring::TokenId> end;
    if (auto token = adapters::end_token(file->file))
        end = scoring::TokenId(*token);
    else
        spdlog::warn("{}: {}; its streamed answers are not signed", file->file.string(), token.error().message);
    signed_.push_back(
        std::make_unique<signing::SigningService>(*engines_.back(), config.name, runtime_.keys().identity, end));
    return signed_.back().get();
}

void ModelRole::engine_changed(const std::string& model, const adapters::EngineStatus& status) {
    spdlog::info("engine of {}: {}{}{}", model, adapters::to_string(status.state), status.reason.empty() ? "" : ": ",
                 status.reason);
    // The cache went with the process.
    using adapters::EngineState;
    if (status.state == EngineState::starting || status.state == EngineState::restarting)
        node_.groups().on_engine_restart(model);
    if (engine_changed_) engine_changed_();
    runtime_.rearm();
}

void ModelRole::run() {
    for (auto& engine : engines_) engine->run();
    for (auto& engine : upstreams_) engine->run();
    for (auto& followed : followed_) followed.events->run();
}

void ModelRole::stop() {
    node_.groups().leave();
    for (auto& engine : engines_) engine->stop();
    for (auto& engine : upstreams_) engine->stop();
}

void ModelRole::on_timer() {
    node_.on_timer();
    if (runtime_.clock().now() < router_timer_) return;
    router_timer_ = runtime_.clock().now() + router_period;
    router_.on_timer();
    const auto listed =
        static_cast<std::size_t>(std::ranges::count_if(served_, [this](const auto& one) { return is_listed(one); }));
    if (std::exchange(listed_, listed) != listed && engine_changed_) engine_changed_();
}

Time ModelRole::next_timer() const { return std::min(node_.next_timer(), router_timer_); }

void ModelRole::on_list(const committee::DirectoryList& list) {
    const NodeId self = runtime_.keys().identity.id();
    for (const Served& served : served_) {
        std::vector<routing::Peer> peers;
        for (const auto& [id, entry] : list.entries) {
            if (id == self || !entry.descriptor || entry.descriptor->role != wire::Role::model) continue;
            if (std::ranges::any_of(entry.descriptor->models,
                                    [&](const auto& model) { return model.name == served.model.name; }))
                peers.push_back({id, trust_of(list.reputations, id)});
        }
        node_.groups().set_peers(served.model.name, peers, trust_of(list.reputations, self));
    }
}

committee::Load ModelRole::load() const {
    auto all = router_.stats().all;
    auto latency =
        all.average_service ? std::chrono::duration_cast<std::chrono::milliseconds>(*all.average_service).count() : 0;
    return {static_cast<std::uint32_t>(all.running), static_cast<std::uint32_t>(all.queued),
            static_cast<std::uint32_t>(latency)};
}

const adapters::EngineStatus& ModelRole::status_of(const Served& served) {
    return served.engine != nullptr ? served.engine->status() : served.upstream->status();
}

bool ModelRole::is_listed(const Served& served) const {
    const auto& status = status_of(served);
    return status.state == adapters::EngineState::ready ||
           (status.state == adapters::EngineState::restarting && runtime_.clock().now() - status.since < restart_grace);
}

std::optional<committee::NodeDescriptor> ModelRole::descriptor() const {
    committee::NodeDescriptor descriptor;
    for (const Served& served : served_) {
        if (!is_listed(served)) continue;
        descriptor.models.push_back(served.model);
        descriptor.capacity += served.slots;
    }
    if (descriptor.models.empty()) return std::nullopt;
    return descriptor;
}

bool ModelRole::engines_loading() const {
    return std::ranges::any_of(engines_, [](const auto& engine) {
        return engine->status().state == adapters::EngineState::starting && engine->restarts() == 0;
    });
}

bool ModelRole::engines_stopped() const {
    return std::ranges::all_of(
        engines_, [](const auto& engine) { return engine->status().state == adapters::EngineState::stopped; });
}

std::vector<adapters::ServedModel> ModelRole::models() {
    std::vector<adapters::ServedModel> models;
    for (const Served& served : served_)
        models.push_back({served.model.name, started_.milliseconds / 1000, "planetserve"});
    return models;
}

Status ModelRole::ready() {
    if (!descriptor()) return fail(ErrorCode::unavailable, "no engine is ready");
    if (!runtime_.directory().registered()) return fail(ErrorCode::unavailable, "the node is not registered yet");
    return {};
}

std::string ModelRole::status_json() {
    return model_status(runtime_.keys().identity.id(), node_.groups().status(), cache_events(), node_.model_side(),
                        runtime_.directory());
}

std::vector<CacheEventsStatus> ModelRole::cache_events() const {
    std::vector<CacheEventsStatus> all;
    for (const Followed& followed : followed_)
        all.push_back(
            {followed.model, followed.events->status(), followed.tokenizer->asked(), followed.tokenizer->failed()});
    return all;
}

void ModelRole::refresh_metrics() { metrics_.update(node_.groups().status(), cache_events(), node_.model_side()); }

}  // namespace planetserve::roles
