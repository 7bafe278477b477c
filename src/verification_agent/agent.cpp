#include "verification_agent/agent.h"

#include <algorithm>

namespace planetserve::verification_agent {

using verification::Phase;
using verification::Purpose;
using verification::State;

namespace {

// Own transcripts are kept for so many epochs, for verifiers that ask late.
constexpr std::size_t kept_transcripts = 3;
// Between two looks at the state without another reason, and between two requests for a transcript.
constexpr Duration retry_after = 2s;

}  // namespace

Agent::Agent(const wire::NetworkId& network, const crypto::Identity& identity, inference::Service& overlay,
             AgentOutput& output, Random& random, const PromptPool& pool, OwnStatements remembered)
    : network_(network),
      identity_(identity),
      output_(output),
      random_(random),
      pool_(pool),
      sender_(network, identity, output, std::move(remembered)),
      round_(overlay, random, pool) {
    const OwnStatements& own = sender_.own();
    if (!own.transcript.empty()) transcripts_.emplace(own.epoch, own.transcript);
}

void Agent::update(const State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now) {
    const auto& schedule = state.schedule();
    const std::uint64_t number = state.epoch().number;
    if (work_.epoch != number) begin_epoch(number);
    round_.on_timer(now);
    next_ = now.time + retry_after;
    if (!state.verifiers().contains(identity_.id())) return;
    // The next block begins another epoch. A draw may be the only reason to make that block.
    if (schedule.epoch(now.unix) != number) return draw_ahead(state, now);
    if (state.epoch().report) {
        work_.report = state.epoch().report;
        work_.plan = state.epoch().plan(state.parameters());
    }
    switch (schedule.phase(number, now.unix)) {
        case Phase::draw:
            draw(state, now);
            break;
        case Phase::challenge:
            lead(state, model_nodes, now);
            break;
        case Phase::recheck:
            recheck(state, model_nodes, now);
            prepare_scores(state, now);
            break;
        case Phase::commit:
            prepare_scores(state, now);
            commit(state, now);
            break;
        case Phase::reveal:
            reveal(state, now);
            break;
        case Phase::idle:
            return;
    }
    next_ = std::min(next_, now.time + (schedule.next_change(number, now.unix) - now.unix));
}

Time Agent::next_timer() const { return std::min(next_, round_.next_timer()); }

void Agent::begin_epoch(std::uint64_t number) {
    round_.clear();
    work_ = Work();
    work_.epoch = number;
}

void Agent::draw(const State& state, Now now) {
    if (state.epoch().draws.contains(identity_.id())) return;
    sender_.send_unprepared(StatementKind::draw, work_.epoch,
                            verification::Draw{crypto::vrf_prove(identity_, state.alpha(Purpose::draw))}, now);
}

void Agent::draw_ahead(const State& state, Now now) {
    const std::uint64_t number = state.schedule().epoch(now.unix);
    if (state.schedule().phase(number, now.unix) != Phase::draw) return;
    sender_.send_unprepared(StatementKind::draw, number,
                            verification::Draw{crypto::vrf_prove(identity_, state.draw_alpha(now.unix))}, now);
}

void Agent::lead(const State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now) {
    const auto& epoch = state.epoch();
    // The first block after the draw phase fixes which nodes are challenged; before it, the plan would name all.
    if (!epoch.frozen || epoch.report) return;
    if (epoch.leader(state.schedule().turn(epoch.number, now.unix)) != identity_.id()) return;
    if (sender_.has(StatementKind::report, work_.epoch)) return sender_.send(StatementKind::report, work_.epoch, now);
    if (!round_.started_by(ChallengeBy::leader)) {
        work_.plan_proof = crypto::vrf_prove(identity_, state.alpha(Purpose::plan));
        auto plan = epoch.plan_of(*crypto::vrf_proof_to_hash(*work_.plan_proof), state.parameters());
        std::vector<ModelNodeEntry> chosen;
        for (const ModelNodeEntry& node : model_nodes)
            if (plan.challenged(node.id) && !node.models.empty()) chosen.push_back(node);
        round_.start(plan, chosen, state.schedule().next_change(epoch.number, now.unix) - now.unix, ChallengeBy::leader,
                     now);
    }
    if (!round_.finished(now)) return;
    const Bytes& transcript = keep_transcript();
    sender_.prepare(StatementKind::report, work_.epoch,
                    verification::Report{*work_.plan_proof, digest_of(transcript), round_.unanswered()});
    sender_.attach_transcript(transcript);
    sender_.remember();
    sender_.send(StatementKind::report, work_.epoch, now);
}

void Agent::recheck(const State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now) {
    const auto& epoch = state.epoch();
    if (!epoch.report || epoch.recheck || epoch.second() != identity_.id()) return;
    if (sender_.has(StatementKind::recheck, work_.epoch)) return sender_.send(StatementKind::recheck, work_.epoch, now);
    if (!round_.started_by(ChallengeBy::second_verifier)) {
        std::vector<ModelNodeEntry> chosen;
        for (const ModelNodeEntry& node : model_nodes)
            if (std::ranges::binary_search(epoch.report->unanswered, node.id) && !node.models.empty())
                chosen.push_back(node);
        round_.start(*work_.plan, chosen, state.schedule().next_change(epoch.number, now.unix) - now.unix,
                     ChallengeBy::second_verifier, now);
    }
    if (!round_.finished(now)) return;
    sender_.prepare(StatementKind::recheck, work_.epoch, verification::Recheck{round_.unanswered()});
    sender_.remember();
    sender_.send(StatementKind::recheck, work_.epoch, now);
}

const Bytes& Agent::keep_transcript() {
    auto [kept, first] = transcripts_.try_emplace(work_.epoch);
    if (first) kept->second = serialise(round_.transcript(work_.epoch));
    while (transcripts_.size() > kept_transcripts) transcripts_.erase(transcripts_.begin());
    return kept->second;
}

ByteView Agent::transcript(std::uint64_t epoch) const {
    auto found = transcripts_.find(epoch);
    return found == transcripts_.end() ? ByteView() : ByteView(found->second);
}

void Agent::prepare_scores(const State& state, Now now) {
    const auto& epoch = state.epoch();
    if (!epoch.report || work_.scoring != Scoring::no_transcript) return;
    if (epoch.report->leader == identity_.id()) {
        // Empty after a restart without remembered statements: then there is nothing to score by.
        if (auto own = transcript(epoch.number); !own.empty()) on_transcript(own);
        return;
    }
    if (work_.fetched_at && now.time < *work_.fetched_at + retry_after) return;
    work_.fetched_at = now.time;
    output_.fetch_transcript(epoch.report->leader, epoch.number);
}

void Agent::on_transcript(ByteView bytes) {
    if (!work_.report || !work_.plan || work_.scoring != Scoring::no_transcript) return;
    if (digest_of(bytes) != work_.report->transcript) return;
    auto transcript = parse_transcript(bytes);
    Status checked = transcript ? check(*transcript, *work_.plan, pool_) : std::unexpected(transcript.error());
    if (checked && transcript->epoch != work_.epoch)
        checked = fail(ErrorCode::invalid_argument, "a transcript of another epoch");
    if (!checked) {
        // The leader asked something else than its plan says. This node scores nothing in this epoch.
        problem_ = "epoch " + std::to_string(work_.epoch) + ", leader " + work_.report->leader.brief() + ": " +
                   checked.error().message;
        work_.scoring = Scoring::done;
        return;
    }
    problem_.clear();
    work_.scoring = Scoring::in_progress;
    std::vector<ChallengeAnswer> answers;
    for (TranscriptEntry& entry : transcript->entries)
        if (entry.answer)
            answers.push_back({make_challenge(work_.plan->prompt_seed(entry.asked, entry.index), entry.model, pool_),
                               std::move(*entry.answer)});
    output_.score(work_.epoch, std::move(answers));
}

void Agent::on_scores(std::uint64_t epoch, std::vector<verification::Score> scores, Now now) {
    if (epoch != work_.epoch || work_.scoring != Scoring::in_progress) return;
    std::erase_if(scores, [&](const verification::Score& score) { return !work_.plan->challenged(score.node); });
    work_.scores = std::move(scores);
    work_.scoring = Scoring::done;
    next_ = now.time;
}

void Agent::commit(const State& state, Now now) {
    const auto& epoch = state.epoch();
    if (!epoch.report || state.ballots().contains(identity_.id())) return;
    if (!sender_.has(StatementKind::commit, work_.epoch)) {
        if (work_.scoring != Scoring::done) return;
        auto reveal = make_reveal(epoch);
        auto digest =
            verification::commitment(network_, epoch.number, identity_.id(), epoch.report->transcript, reveal);
        sender_.prepare(StatementKind::commit, work_.epoch, verification::Commit{digest});
        sender_.prepare(StatementKind::reveal, work_.epoch, std::move(reveal));
        sender_.remember();
    }
    sender_.send(StatementKind::commit, work_.epoch, now);
}

verification::Reveal Agent::make_reveal(const verification::Epoch& epoch) const {
    verification::Reveal reveal{random_.id<verification::Salt>(), work_.scores};
    for (const NodeId& node : epoch.report->unanswered)
        if (epoch.gave_no_answer(node)) {
            std::erase_if(reveal.scores, [&](const verification::Score& score) { return score.node == node; });
            reveal.scores.push_back({node, verification::Outcome::no_answer, 0});
        }
    std::ranges::sort(reveal.scores, {}, &verification::Score::node);
    return reveal;
}

void Agent::reveal(const State& state, Now now) {
    // A ballot without a prepared reveal is from before the remembered statements were lost.
    auto ballot = state.ballots().find(identity_.id());
    if (!sender_.has(StatementKind::reveal, work_.epoch)) return;
    if (ballot == state.ballots().end() || ballot->second.revealed) return;
    sender_.send(StatementKind::reveal, work_.epoch, now);
}

}  // namespace planetserve::verification_agent
