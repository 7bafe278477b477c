#include "verification_agent/agent.h"

#include <algorithm>

namespace planetserve::verification_agent {

using verification::Phase;
using verification::Purpose;
using verification::State;

namespace {

// Transcripts that are kept for those who ask late.
constexpr std::size_t kept_transcripts = 3;

std::string_view model_of(const ModelNodeEntry& node, const ChallengeSeed& seed) {
    return node.models[seed.value.back() % node.models.size()];
}

// When a question is asked that needs so long to be answered, or nobody knows how long.
Duration asked_after(std::optional<Duration> needed, Duration time, double chance) {
    const Duration quarter = time / 4;
    auto share_of = [&](Duration span) {
        return Duration(static_cast<Duration::rep>(chance * static_cast<double>(span.count())));
    };
    if (!needed || *needed > 3 * quarter) return quarter + share_of(quarter);
    return share_of(std::min(quarter, 3 * quarter - *needed));
}

}  // namespace

Agent::Agent(const wire::NetworkId& network, const crypto::Identity& identity, inference::Service& overlay,
             AgentOutput& output, Random& random, const Clock& clock, const PromptPool& pool, OwnStatements said)
    : network_(network),
      identity_(identity),
      output_(output),
      random_(random),
      clock_(clock),
      pool_(pool),
      challenger_(overlay, clock, [this](ChallengeResult result) { on_result(std::move(result)); }),
      own_(std::move(said)) {
    if (!own_.transcript.empty()) transcripts_.emplace(own_.epoch, own_.transcript);
}

void Agent::update(const State& state, const std::vector<ModelNodeEntry>& model_nodes) {
    const UnixTime now = clock_.unix_now();
    const auto& schedule = state.schedule();
    const std::uint64_t number = state.epoch().number;
    if (work_.epoch != number) {
        challenger_.clear();
        work_ = Work();
        work_.epoch = number;
        report_.reset();
        plan_.reset();
    }
    challenger_.on_timer();
    next_ = clock_.now() + retry;
    if (!state.verifiers().contains(identity_.id())) return;
    // Another epoch begins with the next block, for which a draw may be the reason.
    if (schedule.epoch(now) != number) return draw_ahead(state);
    const Phase phase = schedule.phase(number, now);
    if (state.epoch().report) {
        report_ = state.epoch().report;
        plan_ = state.epoch().plan(state.parameters());
    }
    switch (phase) {
        case Phase::draw:
            draw(state);
            break;
        case Phase::challenge:
            lead(state, model_nodes);
            break;
        case Phase::recheck:
            recheck(state, model_nodes);
            prepare_scores(state);
            break;
        case Phase::commit:
            prepare_scores(state);
            commit(state);
            break;
        case Phase::reveal:
            reveal(state);
            break;
        case Phase::idle:
            return;
    }
    next_ = std::min(next_, clock_.now() + (schedule.next_change(number, now) - now));
}

Time Agent::next_timer() const { return std::min(next_, challenger_.next_timer()); }

void Agent::draw(const State& state) {
    if (state.epoch().draws.contains(identity_.id())) return;
    submit("draw", work_.epoch,
           word(verification::Draw{crypto::vrf_prove(identity_, state.alpha(Purpose::draw))}, work_.epoch));
}

void Agent::draw_ahead(const State& state) {
    const UnixTime now = clock_.unix_now();
    const std::uint64_t number = state.schedule().epoch(now);
    if (state.schedule().phase(number, now) != Phase::draw) return;
    submit("draw", number, word(verification::Draw{crypto::vrf_prove(identity_, state.draw_alpha(now))}, number));
}

void Agent::lead(const State& state, const std::vector<ModelNodeEntry>& model_nodes) {
    const UnixTime now = clock_.unix_now();
    const auto& epoch = state.epoch();
    // Who is to be challenged is known with the first block after drawing; without it all would be.
    if (!epoch.frozen || epoch.report) return;
    if (epoch.leader(state.schedule().turn(epoch.number, now)) != identity_.id()) return;
    if (has_said("report")) return say("report");
    if (!work_.plan_proof) {
        work_.plan_proof = crypto::vrf_prove(identity_, state.alpha(Purpose::plan));
        auto plan = epoch.plan_of(*crypto::vrf_proof_to_hash(*work_.plan_proof), state.parameters());
        std::vector<ModelNodeEntry> chosen;
        for (const ModelNodeEntry& node : model_nodes)
            if (plan.challenged(node.id) && !node.models.empty()) chosen.push_back(node);
        ask(plan, chosen, state.schedule().next_change(epoch.number, now) - now, false);
    }
    if (!asked_all()) return;
    keep_transcript(epoch.number);
    const Bytes& transcript = transcripts_[epoch.number];
    mean("report", verification::Report{*work_.plan_proof, digest_of(transcript), *work_.unanswered});
    own_.transcript = transcript;
    output_.remember(own_);
    say("report");
}

void Agent::recheck(const State& state, const std::vector<ModelNodeEntry>& model_nodes) {
    const auto& epoch = state.epoch();
    if (!epoch.report || epoch.recheck || epoch.second() != identity_.id()) return;
    if (has_said("recheck")) return say("recheck");
    if (!work_.asking) {
        std::vector<ModelNodeEntry> chosen;
        for (const ModelNodeEntry& node : model_nodes)
            if (std::ranges::binary_search(epoch.report->unanswered, node.id) && !node.models.empty())
                chosen.push_back(node);
        const UnixTime now = clock_.unix_now();
        ask(*plan_, chosen, state.schedule().next_change(epoch.number, now) - now, true);
    }
    if (!asked_all()) return;
    mean("recheck", verification::Recheck{*work_.unanswered});
    output_.remember(own_);
    say("recheck");
}

// Spread over the first half of the time there is, as users ask. What is not answered after three quarters of it is not
// waited for, so that a block can still take the report. A node is asked one thing at a time, so those questions go
// first whose silence counts: else one that hangs would be asked nothing else. A second verifier wants the node's own
// answer, under an id of its own: the one to which the node handed the first request may be why there was none.
void Agent::ask(const verification::ChallengePlan& plan, const std::vector<ModelNodeEntry>& nodes, Duration time,
                bool again) {
    const Time now = clock_.now();
    work_.asking = true;
    work_.results.clear();
    work_.outcomes.clear();
    work_.expected = 0;
    work_.ask_until = now + time * 3 / 4;
    for (const ModelNodeEntry& node : nodes)
        for (std::uint32_t index = 0; index < plan.challenges; ++index) {
            auto seed = plan.prompt_seed(node.id, index);
            std::string model(model_of(node, seed));
            Challenge challenge = make_challenge(seed, model, pool_);
            auto after = asked_after(time_to_answer(challenge), time, random_.unit());
            ChallengeTask task{.node = node.id,
                               .model = std::move(model),
                               .index = index,
                               .challenge = std::move(challenge),
                               .id = again ? recheck_id(seed) : request_id(seed),
                               .at = now + after,
                               .until = work_.ask_until,
                               .least = time / 4,
                               .there = again};
            if (!challenger_.add(std::move(task))) return;
            ++work_.expected;
        }
}

void Agent::on_result(ChallengeResult result) {
    ++counters_.asked;
    if (result.answer)
        ++counters_.answered;
    else
        counters_.last_failure = "node " + result.task.node.brief() + ": " + std::string(to_string(result.outcome)) +
                                 (result.why.empty() ? "" : ", " + result.why);
    work_.outcomes[result.task.node].insert(result.outcome);
    TranscriptEntry entry{result.task.node, result.task.index, result.task.model, std::move(result.answer)};
    work_.results.insert_or_assign({entry.asked, entry.index}, std::move(entry));
    next_ = clock_.now();
}

bool Agent::asked_all() {
    if (work_.unanswered) return true;
    if (work_.results.size() < work_.expected && clock_.now() < work_.ask_until) return false;
    // A node that was not asked, since others took their time, is not silent.
    auto& silent = work_.unanswered.emplace();
    for (const auto& [node, outcomes] : work_.outcomes)
        if (outcomes.contains(ChallengeOutcome::not_signed) ||
            (outcomes.contains(ChallengeOutcome::no_answer) && !outcomes.contains(ChallengeOutcome::answered)))
            silent.push_back(node);
    return true;
}

void Agent::keep_transcript(std::uint64_t epoch) {
    if (transcripts_.contains(epoch)) return;
    Transcript transcript{.epoch = epoch};
    std::size_t size = 64;
    for (const auto& [place, entry] : work_.results) {
        size += 64 + entry.model.size() + (entry.answer ? scoring::serialise(*entry.answer).size() : 0);
        if (size > Transcript::largest) break;
        transcript.entries.push_back(entry);
    }
    transcripts_.emplace(epoch, serialise(transcript));
    while (transcripts_.size() > kept_transcripts) transcripts_.erase(transcripts_.begin());
}

ByteView Agent::transcript(std::uint64_t epoch) const {
    auto found = transcripts_.find(epoch);
    return found == transcripts_.end() ? ByteView() : ByteView(found->second);
}

void Agent::prepare_scores(const State& state) {
    const auto& epoch = state.epoch();
    if (!epoch.report || work_.scoring) return;
    if (epoch.report->leader == identity_.id()) {
        // A leader that was restarted since has nothing to score by.
        if (auto own = transcript(epoch.number); !own.empty()) on_transcript(own);
        return;
    }
    if (work_.fetched_at && clock_.now() < *work_.fetched_at + retry) return;
    work_.fetched_at = clock_.now();
    output_.fetch_transcript(epoch.report->leader, epoch.number);
}

void Agent::on_transcript(ByteView bytes) {
    // Whatever does not have the digest is somebody's noise.
    if (!report_ || !plan_ || work_.scoring || digest_of(bytes) != report_->transcript) return;
    work_.scoring = true;
    auto transcript = parse_transcript(bytes);
    Status checked = transcript ? check(*transcript, *plan_, pool_) : std::unexpected(transcript.error());
    if (checked && transcript->epoch != work_.epoch)
        checked = fail(ErrorCode::invalid_argument, "a transcript of another epoch");
    if (!checked) {
        // The leader reported what it should not have asked. Nothing is scored by that.
        problem_ = "epoch " + std::to_string(work_.epoch) + ", leader " + report_->leader.brief() + ": " +
                   checked.error().message;
        work_.scores.emplace();
        return;
    }
    problem_.clear();
    std::vector<ChallengeAnswer> exhibits;
    for (TranscriptEntry& entry : transcript->entries)
        if (entry.answer)
            exhibits.push_back({make_challenge(plan_->prompt_seed(entry.asked, entry.index), entry.model, pool_),
                                std::move(*entry.answer)});
    output_.score(work_.epoch, std::move(exhibits));
}

void Agent::on_scores(std::uint64_t epoch, std::vector<verification::Score> scores) {
    if (epoch != work_.epoch || !work_.scoring || work_.scores || !plan_) return;
    std::erase_if(scores, [&](const verification::Score& score) { return !plan_->challenged(score.node); });
    work_.scores = std::move(scores);
    next_ = clock_.now();
}

void Agent::commit(const State& state) {
    const auto& epoch = state.epoch();
    if (!epoch.report || state.ballots().contains(identity_.id())) return;
    if (!has_said("commit")) {
        if (!work_.scores) return;
        verification::Reveal reveal{random_.id<verification::Salt>(), *work_.scores};
        for (const NodeId& node : epoch.report->unanswered)
            if (epoch.gave_no_answer(node)) {
                std::erase_if(reveal.scores, [&](const verification::Score& score) { return score.node == node; });
                reveal.scores.push_back({node, verification::Outcome::no_answer, 0});
            }
        std::ranges::sort(reveal.scores, {}, &verification::Score::node);
        auto digest =
            verification::commitment(network_, epoch.number, identity_.id(), epoch.report->transcript, reveal);
        mean("commit", verification::Commit{digest});
        mean("reveal", std::move(reveal));
        output_.remember(own_);
    }
    say("commit");
}

void Agent::reveal(const State& state) {
    auto ballot = state.ballots().find(identity_.id());
    // A ballot without what it shows is from before all was lost.
    if (!has_said("reveal") || ballot == state.ballots().end() || ballot->second.revealed) return;
    say("reveal");
}

Bytes Agent::word(Body body, std::uint64_t epoch) const {
    return verification::sign({network_, identity_.id(), epoch, std::move(body)}, identity_);
}

void Agent::mean(const char* kind, Body body) {
    if (own_.epoch != work_.epoch) own_ = {.epoch = work_.epoch};
    own_.statements.insert_or_assign(kind, word(std::move(body), work_.epoch));
}

void Agent::say(const char* kind) { submit(kind, own_.epoch, own_.statements.at(kind)); }

void Agent::submit(const char* kind, std::uint64_t epoch, const Bytes& word) {
    auto [said, first] = said_.try_emplace({epoch, kind}, clock_.now());
    if (!first && clock_.now() < said->second + retry) return;
    said->second = clock_.now();
    output_.submit(word);
    while (said_.begin()->first.first + 1 < epoch) said_.erase(said_.begin());
}

}  // namespace planetserve::verification_agent
