#include "false_statements.h"

#include <algorithm>

namespace planetserve::hostile {

using verification::Purpose;

namespace {

constexpr Duration between_tries = 200ms;

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
        void operator()(const verification::Recheck&) const { of.say("recheck", honest); }
        void operator()(const verification::Commit&) const { of.on_commit(honest); }
        void operator()(const verification::Reveal&) const {
            if (!of.votes_as_it_likes(honest.epoch)) of.say("reveal", honest);
        }
    };
    std::visit(Visitor{*this, honest}, honest.body);
}

void FalseStatements::on_draw(const Transaction& honest) {
    const auto& identity = runtime_.keys().identity;
    if (told(honest.epoch, "withhold")) return diary_.note(honest.epoch, "withheld draw", {});
    if (told(honest.epoch, "wrong-draw")) {
        Transaction wrong = honest;
        wrong.body = verification::Draw{crypto::vrf_prove(identity, state().alpha(Purpose::plan))};
        say("wrong draw", wrong);
    }
    if (told(honest.epoch, "anothers-name")) {
        Transaction wrong = honest;
        for (const auto& [other, power] : state().verifiers().powers())
            if (other != identity.id()) wrong.sender = other;
        say("draw in another's name", wrong);
    }
    say("draw", honest);
}

void FalseStatements::on_report(const Transaction& honest) {
    auto told_to = [&](const char* word) { return told(honest.epoch, word); };
    const auto& report = std::get<verification::Report>(honest.body);
    const auto plan = state().epoch().plan_of(*crypto::vrf_proof_to_hash(report.plan_proof), state().parameters());
    Transaction changed = honest;
    auto& said = std::get<verification::Report>(changed.body);
    if (told_to("accuse")) {
        said.unanswered = listed(plan, true);
        show(honest.epoch, {.epoch = honest.epoch}, said);
        return say("accusing report", changed);
    }
    if (told_to("off-plan-questions")) {
        verification_agent::Transcript transcript{.epoch = honest.epoch};
        for (const NodeId& node : listed(plan, true)) {
            const auto& models = registry_()->entries().at(node).descriptor->models;
            transcript.entries.push_back(answer_to_another_question(node, models.front().name));
        }
        said.unanswered.clear();
        show(honest.epoch, std::move(transcript), said);
        return say("report of other questions", changed);
    }
    if (told_to("off-plan-nodes")) {
        if (auto other = off_plan(plan)) {
            said.unanswered = {*other};
            say("report of another node", changed);
        }
    }
    if (told_to("two-reports") && !second_) {
        said.transcript[0] ^= 1;
        second_ = changed;
    }
    say("report", honest);
}

void FalseStatements::on_commit(const Transaction& honest) {
    if (votes_as_it_likes(honest.epoch)) return;
    if (told(honest.epoch, "two-commits") && !second_) {
        second_ = honest;
        std::get<verification::Commit>(second_->body).digest[0] ^= 1;
    }
    say("commit", honest);
}

std::vector<NodeId> FalseStatements::listed(const verification::ChallengePlan& plan, bool challenged) const {
    std::vector<NodeId> nodes;
    for (const auto& [id, entry] : registry_()->entries())
        if (entry.descriptor && entry.descriptor->role == wire::Role::model && plan.challenged(id) == challenged)
            nodes.push_back(id);
    return nodes;
}

std::optional<NodeId> FalseStatements::off_plan(const verification::ChallengePlan& plan) const {
    if (auto others = listed(plan, false); !others.empty()) return others.front();
    if (plan.population <= plan.nodes) return std::nullopt;
    while (true) {
        auto node = runtime_.random().id<NodeId>();
        if (!plan.challenged(node)) return node;
    }
}

// Signed as it should be, but by itself, and to a question of its own.
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

bool FalseStatements::votes_as_it_likes(std::uint64_t epoch) {
    return told(epoch, "nonsense") || told(epoch, "off-plan-scores");
}

const verification::Reveal& FalseStatements::own_vote(std::uint64_t epoch) {
    if (own_vote_ && own_vote_->first == epoch) return own_vote_->second;
    const auto plan = *state().epoch().plan(state().parameters());
    verification::Reveal vote{runtime_.random().id<verification::Salt>(), {}};
    for (const NodeId& node : listed(plan, true)) {
        const auto& models = registry_()->entries().at(node).descriptor->models;
        bool runs = std::ranges::any_of(models, [](const auto& model) { return model.seedable; });
        vote.scores.push_back({node, verification::Outcome::credit, runs ? 0 : verification::one});
    }
    auto other = told(epoch, "off-plan-scores") ? off_plan(plan) : std::nullopt;
    if (other) vote.scores = {{*other, verification::Outcome::credit, 0}};
    return own_vote_.emplace(epoch, std::move(vote)).second;
}

void FalseStatements::show(std::uint64_t epoch, verification_agent::Transcript transcript,
                           verification::Report& report) {
    Bytes bytes = verification_agent::serialise(transcript);
    // Those signed anew are not the same bytes; what was reported first is kept to.
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
    say_second();
}

void FalseStatements::vote() {
    using verification::Phase;
    const NodeId self = runtime_.keys().identity.id();
    const auto& epoch = state().epoch();
    const auto phase = state().schedule().phase(epoch.number, runtime_.clock().unix_now());
    if (!epoch.report || (phase != Phase::commit && phase != Phase::reveal)) return;
    if (!votes_as_it_likes(epoch.number) || epoch.equivocators.contains(self)) return;
    Transaction word{runtime_.genesis().network(), self, epoch.number, verification::Draw{}};
    auto ballot = state().ballots().find(self);
    if (phase == Phase::commit && ballot == state().ballots().end()) {
        word.body = verification::Commit{verification::commitment(word.network, epoch.number, self,
                                                                  epoch.report->transcript, own_vote(epoch.number))};
        return say("commit", word);
    }
    if (phase != Phase::reveal || ballot == state().ballots().end() || ballot->second.revealed) return;
    word.body = own_vote(epoch.number);
    say(told(epoch.number, "off-plan-scores") ? "vote on another node" : "reveal", word);
}

void FalseStatements::say_second() {
    if (third_ && state().epoch().equivocators.contains(third_->sender)) {
        say("third word", *third_);
        third_.reset();
    }
    if (!second_) return;
    const auto& epoch = state().epoch();
    if (epoch.number != second_->epoch) return second_.reset();
    bool report = std::holds_alternative<verification::Report>(second_->body);
    bool first_is_in = report ? epoch.report.has_value() : state().ballots().contains(second_->sender);
    if (!first_is_in) return;
    say(report ? "second report" : "second commit", *second_, [this](const Status& taken) {
        // It may have been said once more before the answer came.
        if (taken && second_) third_ = std::exchange(second_, std::nullopt);
    });
}

void FalseStatements::say(const std::string& kind, const Transaction& transaction, Answer answer) {
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
