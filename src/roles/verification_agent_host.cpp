#include "roles/verification_agent_host.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <bit>

#include "base/files.h"
#include "roles/prompt_pool_file.h"

namespace planetserve::roles {

namespace json = boost::json;

namespace {

// Between two looks at the state, and at the list of nodes.
constexpr Duration poll_every = 100ms;
constexpr Duration list_every = 1s;

std::filesystem::path own_statements_file(const std::filesystem::path& home) { return home / "verification.said"; }

// Empty where the node has made no statement yet.
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

Result<std::unique_ptr<VerificationAgentHost>> VerificationAgentHost::make(Runtime& runtime,
                                                                           const config::VerifierConfig& config,
                                                                           committee::ConsensusEngine& engine,
                                                                           ReadRegistry registry) {
    auto pool = load_prompt_pool(config.prompt_pool, runtime.genesis().parameters.prompt_pool);
    if (!pool) return std::unexpected(pool.error());
    auto said = read_own_statements(runtime.home());
    if (!said) return std::unexpected(said.error());
    std::unique_ptr<VerificationAgentHost> host(
        new VerificationAgentHost(runtime, engine, std::move(registry), std::move(*pool), std::move(*said)));
    auto scorer = make_model_scorer(runtime, config.models,
                                    [host = host.get()](std::uint64_t epoch, std::vector<verification::Score> scores) {
                                        host->agent_.on_scores(epoch, std::move(scores), host->runtime_.clock().read());
                                        host->runtime_.rearm();
                                    });
    if (!scorer) return std::unexpected(scorer.error());
    host->scorer_ = std::move(*scorer);
    return host;
}

VerificationAgentHost::VerificationAgentHost(Runtime& runtime, committee::ConsensusEngine& engine,
                                             ReadRegistry registry, verification_agent::PromptPool pool,
                                             verification_agent::OwnStatements said)
    : runtime_(runtime),
      engine_(engine),
      registry_(std::move(registry)),
      user_(runtime.keys(), {}, runtime.links(), runtime.random(), runtime.clock()),
      pool_(std::move(pool)),
      agent_(runtime.genesis().network(), runtime.keys().identity, user_.requests(), *this, runtime.random(), pool_,
             std::move(said)) {}

VerificationAgentHost::~VerificationAgentHost() = default;

void VerificationAgentHost::score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) {
    scorer_->score(epoch, std::move(exhibits));
}

bool VerificationAgentHost::on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload) {
    bool transcript = type == wire::FrameType::transcript_request || type == wire::FrameType::transcript;
    if (!transcript) return user_.on_frame(from, type, payload);
    if (runtime_.genesis().find(from) == nullptr) return true;
    ByteReader reader(payload);
    std::uint64_t epoch = reader.u64();
    if (type == wire::FrameType::transcript) {
        agent_.on_transcript(reader.rest());
    } else if (auto own = agent_.transcript(epoch); !own.empty()) {
        // A node that does not get it asks again.
        (void)runtime_.links().send(from, wire::FrameType::transcript, {ByteView(payload).first(8), own});
    }
    return true;
}

void VerificationAgentHost::on_timer() {
    user_.on_timer();
    if (runtime_.clock().now() < std::min(next_poll_, agent_.next_timer())) return;
    next_poll_ = runtime_.clock().now() + poll_every;
    const committee::Registry* registry = registry_();
    if (registry == nullptr || registry->verification() == nullptr) return;
    if (registry->height() != list_height_ && runtime_.clock().now() >= list_taken_ + list_every)
        take_registry(*registry);
    agent_.update(*registry->verification(), model_nodes_, runtime_.clock().read());
    log_agent();
}

// Logs what leaders and model nodes did wrong, once each; the status shows only the last.
void VerificationAgentHost::log_agent() {
    if (agent_.problem() != logged_problem_) {
        logged_problem_ = agent_.problem();
        if (!logged_problem_.empty()) spdlog::warn("verification: {}", logged_problem_);
    }
    const auto& counters = agent_.counters();
    const std::uint64_t failed = counters.asked - counters.answered;
    if (failed == std::exchange(logged_failed_, failed)) return;
    spdlog::info("verification: a challenge failed: {}", counters.last_failure);
}

Time VerificationAgentHost::next_timer() const {
    return std::min({user_.next_timer(), agent_.next_timer(), next_poll_});
}

// This node is the directory: it has what others fetch.
void VerificationAgentHost::take_registry(const committee::Registry& registry) {
    list_height_ = registry.height();
    list_taken_ = runtime_.clock().now();
    // It challenges untrusted nodes, too.
    user_.requests().update_directory(node::view_of(registry.entries(), std::nullopt, runtime_.keys().identity.id()));
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

void VerificationAgentHost::remember(const verification_agent::OwnStatements& said) {
    auto written =
        write_file(own_statements_file(runtime_.home()), std::string(as_text(verification_agent::serialise(said))));
    if (!written) spdlog::error("verification: {}; after a restart it may contradict itself", written.error().message);
}

void VerificationAgentHost::submit(Bytes transaction) {
    const auto& identity = runtime_.keys().identity;
    const UnixTime now = runtime_.clock().unix_now();
    Bytes wrapped =
        committee::sign({runtime_.genesis().network(), identity.id(), static_cast<std::uint64_t>(now.milliseconds),
                         committee::Verify{std::move(transaction), {}}},
                        identity);
    engine_.submit(wrapped, now, [this](const Status& taken) {
        refusal_ = taken ? "" : taken.error().message;
        if (!taken) spdlog::debug("a verification transaction was refused: {}", refusal_);
    });
}

void VerificationAgentHost::fetch_transcript(const NodeId& leader, std::uint64_t epoch) {
    Bytes request;
    ByteWriter(request).u64(epoch);
    (void)runtime_.links().send(leader, wire::FrameType::transcript_request, {request});
}

json::object VerificationAgentHost::status() const {
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
    std::string problem = agent_.problem();
    if (auto ready = user_.requests().ready(); problem.empty() && !ready)
        problem = "cannot ask: " + ready.error().message;
    json::object findings;
    if (problem.empty()) problem = scorer_->problem();
    for (const auto& [node, finding] : scorer_->findings()) findings[node.hex()] = finding;
    return {{"epoch", state.epoch().number},
            {"phase", verification::name_of(phase)},
            {"order", std::move(order)},
            {"leader", state.epoch().report ? state.epoch().report->leader.hex() : ""},
            {"ballots", state.ballots().size()},
            {"standings", std::move(standings)},
            {"verifiers", std::move(verifiers)},
            {"challenges", json::object{{"asked", agent_.counters().asked},
                                        {"answered", agent_.counters().answered},
                                        {"last_failure", agent_.counters().last_failure}}},
            {"findings", std::move(findings)},
            {"problem", problem},
            {"refusal", refusal_}};
}

}  // namespace planetserve::roles
