#include "false_statements.h"

#include <algorithm>

namespace planetserve::hostile {

using verification::Purpose;

namespace {

constexpr Duration between_tries = 200ms;

template <typename Chosen>
std::vector<NodeId> model_nodes(const committee::Registry& registry, Chosen chosen) {
    std::vector<NodeId> nodes;
    for (const auto& [id, entry] : registry.entries())
        if (entry.descriptor && entry.descriptor->role == wire::Role::model && chosen(id)) nodes.push_back(id);
    return nodes;
}

}  // namespace

void FalseStatements::submit(ByteView transaction, UnixTime, Answer answer) {
    auto parsed = committee::parse_transaction(transaction);
    if (auto* verify = parsed ? std::get_if<committee::Verify>(&parsed->body) : nullptr) change(verify->transaction);
    answer({});
}

void FalseStatements::change(Transaction honest) {
    struct Visitor {
        FalseStatements& of;
        const Transaction& honest;
        void operator()(const verification::Draw&) const { of.on_draw(honest); }
        void operator()(const verification::Report&) const { of.on_report(honest); }
        void operator()(const verification::Recheck&) const { of.send("recheck", honest); }
        void operator()(const verification::Commit&) const { of.on_commit(honest); }
        void operator()(const verification::Reveal&) const {
            if (!of.votes_falsely(honest.epoch)) of.send("reveal", honest);
        }
    };
    std::visit(Visitor{*this, honest}, honest.body);
}

void FalseStatements::on_draw(const Transaction& honest) {
    const auto& identity = runtime_.keys().identity;
    if (ordered(honest.epoch, "withhold")) return diary_.note(honest.epoch, "withheld draw", {});
    if (ordered(honest.epoch, "wrong-draw")) {
        Transaction wrong = honest;
        wrong.body = verification::Draw{crypto::vrf_prove(identity, state().alpha(Purpose::plan))};
        send("wrong draw", wrong);
    }
    if (ordered(honest.epoch, "anothers-name")) {
        Transaction wrong = honest;
        for (const auto& [other, power] : state().verifiers().powers())
            if (other != identity.id()) wrong.sender = other;
        send("draw in another's name", wrong);
    }
    send("draw", honest);
}

void FalseStatements::on_report(const Transaction& honest) {
    auto orders = [&](const char* order) { return ordered(honest.epoch, order); };
    const auto& report = std::get<verification::Report>(honest.body);
    const auto plan = state().epoch().plan_of(*crypto::vrf_proof_to_hash(report.plan_proof), state().parameters());
    Transaction changed = honest;
    auto& said = std::get<verification::Report>(changed.body);
    if (orders("accuse")) {
        said.unanswered = on_plan(plan);
        show(honest.epoch, {.epoch = honest.epoch}, said);
        return send("accusing report", changed);
    }
    if (orders("off-plan-questions")) {
        verification_agent::Transcript transcript{.epoch = honest.epoch};
        for (const NodeId& node : on_plan(plan)) {
            const auto& models = registry_()->entries().at(node).descriptor->models;
            transcript.entries.push_back(answer_to_another_question(node, models.front().name));
        }
        said.unanswered.clear();
        show(honest.epoch, std::move(transcript), said);
        return send("report of other questions", changed);
    }
    if (orders("off-plan-nodes")) {
        if (auto other = off_plan(plan)) {
            said.unanswered = {*other};
            send("report of another node", changed);
        }
    }
    if (orders("two-reports") && !second_) {
        said.transcript[0] ^= 1;
        second_ = changed;
    }
    send("report", honest);
}

void FalseStatements::on_commit(const Transaction& honest) {
    if (votes_falsely(honest.epoch)) return;
    if (ordered(honest.epoch, "two-commits") && !second_) {
        second_ = honest;
        std::get<verification::Commit>(second_->body).digest[0] ^= 1;
    }
    send("commit", honest);
}

std::vector<NodeId> FalseStatements::on_plan(const verification::ChallengePlan& plan) const {
    return model_nodes(*registry_(), [&](const NodeId& node) { return plan.challenged(node); });
}

std::vector<NodeId> FalseStatements::not_on_plan(const verification::ChallengePlan& plan) const {
    return model_nodes(*registry_(), [&](const NodeId& node) { return !plan.challenged(node); });
}

std::optional<NodeId> FalseStatements::off_plan(const verification::ChallengePlan& plan) const {
    if (auto others = not_on_plan(plan); !others.empty()) return others.front();
    if (plan.population <= plan.nodes) return std::nullopt;
    while (true) {
        auto node = runtime_.random().id<NodeId>();
        if (!plan.challenged(node)) return node;
    }
}

// Properly signed, but by this node and to a challenge of its own.
verification_agent::TranscriptEntry FalseStatements::answer_to_another_question(const NodeId& node,
                                                                                const std::string& model) const {
    auto seed = runtime_.random().id<verification_agent::ChallengeSeed>();
    scoring::SignedAnswer answer{
        .model = model,
        .nonce = scoring::nonce_of(verification_agent::request_id(seed)),
        .request = crypto::sha256(as_bytes(verification_agent::make_challenge(seed, model, {}).body)),
        .tokens = {scoring::TokenId(1)}};
    scoring::sign(answer, runtime_.keys().identity);
    return {node, 0, model, std::move(answer)};
}

bool FalseStatements::votes_falsely(std::uint64_t epoch) {
    return ordered(epoch, "nonsense") || ordered(epoch, "off-plan-scores");
}

const verification::Reveal& FalseStatements::own_vote(std::uint64_t epoch) {
    if (own_vote_ && own_vote_->first == epoch) return own_vote_->second;
    const auto plan = *state().epoch().plan(state().parameters());
    verification::Reveal vote{runtime_.random().id<verification::Salt>(), {}};
    for (const NodeId& node : on_plan(plan)) {
        const auto& models = registry_()->entries().at(node).descriptor->models;
        bool runs = std::ranges::any_of(models, [](const auto& model) { return model.seedable; });
        vote.scores.push_back({node, verification::Outcome::credit, runs ? 0 : verification::one});
    }
    auto other = ordered(epoch, "off-plan-scores") ? off_plan(plan) : std::nullopt;
    if (other) vote.scores = {{*other, verification::Outcome::credit, 0}};
    return own_vote_.emplace(epoch, std::move(vote)).second;
}

void FalseStatements::show(std::uint64_t epoch, verification_agent::Transcript transcript,
                           verification::Report& report) {
    Bytes bytes = verification_agent::serialise(transcript);
    // Signing again gives other bytes, so the first transcript stays.
    if (!transcript_ || transcript_->first != epoch) transcript_.emplace(epoch, std::move(bytes));
    report.transcript = verification_agent::digest_of(transcript_->second);
}

std::optional<Bytes> FalseStatements::transcript(std::uint64_t epoch) const {
    if (!transcript_ || transcript_->first != epoch) return std::nullopt;
    return transcript_->second;
}

void FalseStatements::on_timer() {
    const Time now = runtime_.clock().now();
    if (now < next_) return;
    next_ = now + between_tries;
    const auto* registry = registry_();
    if (registry == nullptr || registry->verification() == nullptr) return;
    vote();
    send_second();
}

void FalseStatements::vote() {
    using verification::Phase;
    const NodeId self = runtime_.keys().identity.id();
    const auto& epoch = state().epoch();
    const auto phase = state().schedule().phase(epoch.number, runtime_.clock().unix_now());
    if (!epoch.report || (phase != Phase::commit && phase != Phase::reveal)) return;
    if (!votes_falsely(epoch.number) || epoch.equivocators.contains(self)) return;
    Transaction vote{runtime_.genesis().network(), self, epoch.number, verification::Draw{}};
    auto ballot = state().ballots().find(self);
    if (phase == Phase::commit && ballot == state().ballots().end()) {
        vote.body = verification::Commit{verification::commitment(vote.network, epoch.number, self,
                                                                  epoch.report->transcript, own_vote(epoch.number))};
        return send("commit", vote);
    }
    if (phase != Phase::reveal || ballot == state().ballots().end() || ballot->second.revealed) return;
    vote.body = own_vote(epoch.number);
    send(ordered(epoch.number, "off-plan-scores") ? "vote on another node" : "reveal", vote);
}

void FalseStatements::send_second() {
    if (third_ && state().epoch().equivocators.contains(third_->sender)) {
        send("third statement", *third_);
        third_.reset();
    }
    if (!second_) return;
    const auto& epoch = state().epoch();
    if (epoch.number != second_->epoch) return second_.reset();
    bool report = std::holds_alternative<verification::Report>(second_->body);
    bool first_is_in = report ? epoch.report.has_value() : state().ballots().contains(second_->sender);
    if (!first_is_in) return;
    send(report ? "second report" : "second commit", *second_, [this](const Status& taken) {
        // The statement may have been sent once more before the answer arrived.
        if (taken && second_) third_ = std::exchange(second_, std::nullopt);
    });
}

void FalseStatements::send(const std::string& kind, const Transaction& transaction, Answer answer) {
    const auto& identity = runtime_.keys().identity;
    const UnixTime now = runtime_.clock().unix_now();
    Bytes wrapped =
        committee::sign({runtime_.genesis().network(), identity.id(), static_cast<std::uint64_t>(now.milliseconds),
                         committee::Verify{verification::sign(transaction, identity), {}}},
                        identity);
    honest_.submit(wrapped, now,
                   [this, epoch = transaction.epoch, kind, answer = std::move(answer)](const Status& taken) {
                       diary_.note(epoch, kind, taken);
                       if (answer) answer(taken);
                   });
}

}  // namespace planetserve::hostile
