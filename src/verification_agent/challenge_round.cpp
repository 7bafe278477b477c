#include "verification_agent/challenge_round.h"

#include "base/requires.h"

namespace planetserve::verification_agent {

namespace {

// Serialised sizes, rounded up: the transcript's head, and an entry without model and answer.
constexpr std::size_t transcript_overhead = 64;
constexpr std::size_t entry_overhead = 64;

std::string_view model_of(const ModelNodeEntry& node, const ChallengeSeed& seed) {
    return node.models[seed.value.back() % node.models.size()];
}

// When to send a challenge, after the round's begin. chance: 0 to 1. Challenges whose answer takes most of the time, or
// nobody knows how long, go second: their silence does not count.
Duration delay_of(const Challenge& challenge, Duration time, double chance) {
    const Duration quarter = time / 4;
    auto share_of = [&](Duration span) {
        return Duration(static_cast<Duration::rep>(chance * static_cast<double>(span.count())));
    };
    auto needed = time_to_answer(challenge);
    if (!needed || *needed > 3 * quarter) return quarter + share_of(quarter);
    return share_of(std::min(quarter, 3 * quarter - *needed));
}

}  // namespace

ChallengeRound::ChallengeRound(inference::Service& overlay, Random& random, const PromptPool& pool)
    : random_(random),
      pool_(pool),
      challenger_(overlay, [this](ChallengeResult result) { on_result(std::move(result)); }) {}

void ChallengeRound::start(const verification::ChallengePlan& plan, const std::vector<ModelNodeEntry>& nodes,
                           Duration time, ChallengeBy by, Now now) {
    clear();
    by_ = by;
    deadline_ = now.time + time * 3 / 4;
    for (const ModelNodeEntry& node : nodes)
        for (std::uint32_t index = 0; index < plan.challenges; ++index) {
            auto seed = plan.prompt_seed(node.id, index);
            std::string model(model_of(node, seed));
            Challenge challenge = make_challenge(seed, model, pool_);
            Duration delay = delay_of(challenge, time, random_.unit());
            const bool second = by == ChallengeBy::second_verifier;
            ChallengeTask task{.node = node.id,
                               .model = std::move(model),
                               .index = index,
                               .challenge = std::move(challenge),
                               .id = second ? recheck_id(seed) : request_id(seed),
                               .at = now.time + delay,
                               .until = deadline_,
                               .least = time / 4,
                               .answerer = second ? Answerer::node_itself : Answerer::any};
            if (!challenger_.add(std::move(task))) return;
            ++expected_;
        }
}

void ChallengeRound::clear() {
    challenger_.clear();
    by_.reset();
    expected_ = 0;
    results_.clear();
    outcomes_.clear();
    unanswered_.reset();
}

void ChallengeRound::on_result(ChallengeResult result) {
    ++counters_.asked;
    if (result.answer)
        ++counters_.answered;
    else
        counters_.last_failure = "node " + result.task.node.brief() + ": " + std::string(to_string(result.outcome)) +
                                 (result.why.empty() ? "" : ", " + result.why);
    outcomes_[result.task.node].insert(result.outcome);
    TranscriptEntry entry{result.task.node, result.task.index, result.task.model, std::move(result.answer)};
    results_.insert_or_assign({entry.asked, entry.index}, std::move(entry));
}

bool ChallengeRound::finished(Now now) {
    REQUIRES(by_.has_value());
    if (unanswered_) return true;
    if (results_.size() < expected_ && now.time < deadline_) return false;
    // A node that got no challenge, because others took their time, is not silent.
    auto& silent = unanswered_.emplace();
    for (const auto& [node, outcomes] : outcomes_)
        if (outcomes.contains(ChallengeOutcome::not_signed) ||
            (outcomes.contains(ChallengeOutcome::no_answer) && !outcomes.contains(ChallengeOutcome::answered)))
            silent.push_back(node);
    return true;
}

const std::vector<NodeId>& ChallengeRound::unanswered() const {
    REQUIRES(unanswered_.has_value());
    return *unanswered_;
}

Transcript ChallengeRound::transcript(std::uint64_t epoch) const {
    Transcript transcript{.epoch = epoch};
    std::size_t size = transcript_overhead;
    for (const auto& [place, entry] : results_) {
        size += entry_overhead + entry.model.size() + (entry.answer ? scoring::serialise(*entry.answer).size() : 0);
        if (size > Transcript::largest) break;
        transcript.entries.push_back(entry);
    }
    return transcript;
}

}  // namespace planetserve::verification_agent
