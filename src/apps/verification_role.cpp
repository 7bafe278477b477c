#include "apps/verification_role.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>

#include <boost/asio/post.hpp>

#include "apps/directory_view.h"
#include "apps/engine_program.h"
#include "apps/model_file.h"
#include "apps/network_home.h"
#include "apps/prompt_pool_file.h"
#include "scoring/credit.h"

namespace planetserve::apps {

namespace json = boost::json;

namespace {

// Between two looks at the state, and between two at the list of nodes.
constexpr Duration poll_every = 100ms;
constexpr Duration list_every = 1s;

std::filesystem::path own_statements_file(const std::filesystem::path& home) { return home / "verification.said"; }

// Nothing where it has said nothing yet.
Result<verification_agent::OwnStatements> read_own_statements(const std::filesystem::path& home) {
    const auto file = own_statements_file(home);
    if (!std::filesystem::exists(file)) return verification_agent::OwnStatements();
    auto bytes = read_file(file, verification_agent::OwnStatements::largest);
    auto said = bytes ? verification_agent::parse_own_statements(as_bytes(*bytes)) : std::unexpected(bytes.error());
    if (said) return said;
    return fail(said.error().code, file.string() + ": " + said.error().message +
                                       "; move it away, and start the node again after an epoch has gone by");
}

}  // namespace

Result<std::unique_ptr<VerificationRole>> VerificationRole::make(Runtime& runtime, const VerifierConfig& config,
                                                                 committee::ConsensusEngine& engine,
                                                                 ReadRegistry registry) {
    auto pool = load_prompt_pool(config.prompt_pool, runtime.genesis().parameters.prompt_pool);
    if (!pool) return std::unexpected(pool.error());
    auto said = read_own_statements(runtime.home());
    if (!said) return std::unexpected(said.error());
    std::unique_ptr<VerificationRole> role(
        new VerificationRole(runtime, engine, std::move(registry), std::move(*pool), std::move(*said)));
    if (auto loaded = role->load_models(config.models); !loaded) return std::unexpected(loaded.error());
    return role;
}

VerificationRole::VerificationRole(Runtime& runtime, committee::ConsensusEngine& engine, ReadRegistry registry,
                                   verification_agent::PromptPool pool, verification_agent::OwnStatements said)
    : runtime_(runtime),
      engine_(engine),
      registry_(std::move(registry)),
      user_(runtime.keys(), {}, runtime.links(), runtime.random(), runtime.clock()),
      pool_(std::move(pool)),
      duty_(runtime.genesis().network(), runtime.keys().identity, user_.asker(), *this, runtime.random(), pool_,
            std::move(said)) {}

VerificationRole::~VerificationRole() = default;

#ifdef PLANETSERVE_SCORER

Status VerificationRole::load_models(const std::vector<ServedModelConfig>& models) {
    std::map<std::string, adapters::JudgedModel> judged;
    for (const ServedModelConfig& model : models) {
        auto program = engine_program();
        if (!program) return std::unexpected(program.error());
        auto file = model_file(model);
        if (!file) return std::unexpected(file.error());
        adapters::ManagedEngineOptions options;
        options.program = *program;
        options.model_file = file->file;
        options.alias = model.name;
        // It only applies the model's template and tokenises.
        options.slots = 1;
        options.context = 256;
        options.threads = 1;
        options.cache_mib = 0;
        std::string number = std::to_string(engines_.size());
        options.socket = runtime_.home() / ("tokens-" + number + ".sock");
        options.log = runtime_.home() / ("tokens-" + number + ".log");
        engines_.push_back(std::make_unique<adapters::ManagedEngine>(runtime_.context(), options));
        engines_.back()->run();
        adapters::LlamaScorerOptions scorer;
        scorer.model_file = file->file;
        scorer.context = model.context;
        scorer.sequences = 1;
        scorer.threads = model.threads == 0 ? 1 : model.threads;
        judged[model.name] = {engines_.back().get(), scorer};
    }
    judge_ = std::make_unique<adapters::Judge>(runtime_.context(), std::move(judged), scoring::Calibration::known(),
                                               [this](std::uint64_t epoch, std::vector<verification::Score> scores) {
                                                   duty_.on_scores(epoch, std::move(scores), runtime_.clock().read());
                                                   runtime_.rearm();
                                               });
    return {};
}

void VerificationRole::score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) {
    judge_->score(epoch, std::move(exhibits));
}

#else

Status VerificationRole::load_models(const std::vector<ServedModelConfig>& models) {
    if (models.empty()) return {};
    return fail(ErrorCode::not_found,
                "this program was built without the engine's libraries and cannot score models; run "
                "./planetserve verifier, which builds them, or leave 'models' out");
}

// Without a model it has no opinion of its own.
void VerificationRole::score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer>) {
    boost::asio::post(runtime_.context(), [this, epoch] { duty_.on_scores(epoch, {}, runtime_.clock().read()); });
}

#endif

bool VerificationRole::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    bool transcript = type == wire::FrameType::transcript_request || type == wire::FrameType::transcript;
    if (!transcript) return user_.on_frame(from, type, payload);
    if (runtime_.genesis().find(from) == nullptr) return true;
    ByteReader reader(payload);
    std::uint64_t epoch = reader.u64();
    if (type == wire::FrameType::transcript) {
        duty_.on_transcript(reader.rest());
    } else if (auto own = duty_.transcript(epoch); !own.empty()) {
        // Who does not get it asks again.
        (void)runtime_.links().send(from, wire::FrameType::transcript, {ByteView(payload).first(8), own});
    }
    return true;
}

void VerificationRole::on_timer() {
    user_.on_timer();
    if (runtime_.clock().now() < std::min(next_poll_, duty_.next_timer())) return;
    next_poll_ = runtime_.clock().now() + poll_every;
    const committee::Registry* registry = registry_();
    if (registry == nullptr || registry->verification() == nullptr) return;
    if (registry->height() != list_height_ && runtime_.clock().now() >= list_taken_ + list_every)
        take_registry(*registry);
    duty_.update(*registry->verification(), model_nodes_, runtime_.clock().read());
    log_duty();
}

// What leaders and model nodes did wrong, once each: the status shows the last only.
void VerificationRole::log_duty() {
    if (duty_.problem() != logged_problem_) {
        logged_problem_ = duty_.problem();
        if (!logged_problem_.empty()) spdlog::warn("verification: {}", logged_problem_);
    }
    const auto& counters = duty_.counters();
    const std::uint64_t failed = counters.asked - counters.answered;
    if (failed == std::exchange(logged_failed_, failed)) return;
    spdlog::info("verification: a challenge failed: {}", counters.last_failure);
}

Time VerificationRole::next_timer() const { return std::min({user_.next_timer(), duty_.next_timer(), next_poll_}); }

// This node is the directory: what others fetch it knows.
void VerificationRole::take_registry(const committee::Registry& registry) {
    list_height_ = registry.height();
    list_taken_ = runtime_.clock().now();
    // It asks those that are not trusted, too.
    user_.asker().update_directory(view_of(registry.entries(), std::nullopt, runtime_.keys().identity.id()));
    runtime_.know(registry.entries());
    model_nodes_.clear();
    for (const auto& [id, entry] : registry.entries()) {
        if (!entry.descriptor || entry.descriptor->role != wire::Role::model) continue;
        verification_agent::ModelNodeEntry node{id, {}};
        for (const auto& model : entry.descriptor->models) node.models.push_back(model.name);
        std::ranges::sort(node.models);
        model_nodes_.push_back(std::move(node));
    }
}

void VerificationRole::remember(const verification_agent::OwnStatements& said) {
    auto written =
        write_file(own_statements_file(runtime_.home()), std::string(as_text(verification_agent::serialise(said))));
    if (!written) spdlog::error("verification: {}; after a restart it may contradict itself", written.error().message);
}

void VerificationRole::submit(Bytes transaction) {
    const auto& identity = runtime_.keys().identity;
    const UnixTime now = runtime_.clock().unix_now();
    Bytes wrapped =
        committee::sign({runtime_.genesis().network(), identity.id(), static_cast<std::uint64_t>(now.milliseconds),
                         committee::Verify{std::move(transaction), {}}},
                        identity);
    engine_.submit(wrapped, now, [this](const Status& taken) {
        refusal_ = taken ? "" : taken.error().message;
        if (!taken) spdlog::debug("a word of verification was not taken: {}", refusal_);
    });
}

void VerificationRole::fetch_transcript(const NodeId& leader, std::uint64_t epoch) {
    Bytes request;
    ByteWriter(request).u64(epoch);
    (void)runtime_.links().send(leader, wire::FrameType::transcript_request, {request});
}

json::object VerificationRole::status() const {
    const committee::Registry* registry = registry_();
    if (registry == nullptr || registry->verification() == nullptr) return {};
    const auto& state = *registry->verification();
    json::array standings;
    for (const auto& [node, standing] : state.standings())
        standings.push_back(json::object{{"node", node.hex()},
                                         {"reputation", static_cast<double>(standing.reputation) / verification::one},
                                         {"trusted", state.trusted(node)},
                                         {"scores", standing.scores},
                                         {"abnormal", std::popcount(standing.abnormal)},
                                         {"last_epoch", standing.last_epoch}});
    json::array verifiers;
    for (const auto& [verifier, power] : state.verifiers().powers()) {
        auto record = state.record(verifier);
        verifiers.push_back(json::object{{"id", verifier.hex()},
                                         {"power", power},
                                         {"equivocations", record.equivocations},
                                         {"far_epochs", std::popcount(record.far_epochs)},
                                         {"missed_epochs", std::popcount(record.missed_epochs)},
                                         {"flagged", state.flagged(verifier)}});
    }
    json::array order;
    for (const NodeId& verifier : state.epoch().order()) order.push_back(json::value(verifier.hex()));
    auto phase = state.schedule().phase(state.epoch().number, runtime_.clock().unix_now());
    std::string problem = duty_.problem();
    if (auto ready = user_.asker().ready(); problem.empty() && !ready) problem = "cannot ask: " + ready.error().message;
    json::object findings;
#ifdef PLANETSERVE_SCORER
    if (problem.empty()) problem = judge_->problem();
    for (const auto& [node, finding] : judge_->findings()) findings[node.hex()] = finding;
#endif
    return {{"epoch", state.epoch().number},
            {"phase", verification::name_of(phase)},
            {"order", std::move(order)},
            {"leader", state.epoch().report ? state.epoch().report->leader.hex() : ""},
            {"ballots", state.ballots().size()},
            {"standings", std::move(standings)},
            {"verifiers", std::move(verifiers)},
            {"challenges", json::object{{"asked", duty_.counters().asked},
                                        {"answered", duty_.counters().answered},
                                        {"last_failure", duty_.counters().last_failure}}},
            {"findings", std::move(findings)},
            {"problem", problem},
            {"refusal", refusal_}};
}

}  // namespace planetserve::apps
