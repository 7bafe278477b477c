// What a verification node does for the verification of model nodes, phase by phase (docs/protocols/verification.md):
// it draws, leads when it is its turn, asks once more when it is the second, scores, commits and shows its scores.
//
// Pure: the replicated state and the time go in; transactions, questions and work to be scored go out. What it says is
// said again until the state shows it. What it could contradict after a restart in the middle of an epoch it has its
// owner remember first, and says again as it was. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/random.h"
#include "verification/state.h"
#include "verification_agent/challenger.h"
#include "verification_agent/own_statements.h"
#include "verification_agent/transcript.h"

namespace planetserve::verification_agent {

// An answer to be scored.
struct ChallengeAnswer {
    Challenge challenge;
    scoring::SignedAnswer answer;
};

class AgentOutput {
public:
    virtual ~AgentOutput() = default;
    // Keeps it, before it is said, for a Agent that is made after a restart; in place of what was kept before.
    virtual void remember(const OwnStatements& said) = 0;
    // For the next block. A refusal shows in the state, or rather does not.
    virtual void submit(Bytes transaction) = 0;
    // Asks the leader for an epoch's transcript; Agent::on_transcript takes it, whoever sends it.
    virtual void fetch_transcript(const NodeId& leader, std::uint64_t epoch) = 0;
    // Agent::on_scores takes what comes of it. A later call makes the earlier one void.
    virtual void score(std::uint64_t epoch, std::vector<ChallengeAnswer> exhibits) = 0;
};

struct ModelNodeEntry {
    NodeId id;
    std::vector<std::string> models;  // ascending
};

class Agent {
public:
    // All but the network and what was said before a restart outlive the duty.
    Agent(const wire::NetworkId& network, const crypto::Identity& identity, inference::Service& overlay,
          AgentOutput& output, Random& random, const Clock& clock, const PromptPool& pool, OwnStatements said = {});

    // What there is to do now: after each block, and when next_timer says so. model_nodes ascend.
    void update(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes);
    Time next_timer() const;

    void on_transcript(ByteView bytes);
    // Ascending by node; of nodes that answered.
    void on_scores(std::uint64_t epoch, std::vector<verification::Score> scores);

    // What this node asked and was answered as leader of an epoch; empty where it did not lead it, or not lately.
    ByteView transcript(std::uint64_t epoch) const;
    struct Counters {
        std::uint64_t asked = 0;
        std::uint64_t answered = 0;
        std::string last_failure = {};  // of a challenge, in words
    };
    const Counters& counters() const { return counters_; }
    // In words, for status; empty while all is well.
    const std::string& problem() const { return problem_; }

private:
    static constexpr Duration retry = 2s;

    // Of the running epoch.
    struct Work {
        std::uint64_t epoch = 0;
        // As leader, or as the second verifier.
        std::optional<crypto::VrfProof> plan_proof;
        bool asking = false;
        Time ask_until{};
        std::map<std::pair<NodeId, std::uint32_t>, TranscriptEntry> results;
        std::map<NodeId, std::set<ChallengeOutcome>> outcomes;  // of those that were asked
        std::size_t expected = 0;
        std::optional<std::vector<NodeId>> unanswered;  // once all was asked
        // As a voter.
        std::optional<Time> fetched_at;
        bool scoring = false;
        std::optional<std::vector<verification::Score>> scores;
    };

    void draw(const verification::State& state);
    void draw_ahead(const verification::State& state);
    void lead(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes);
    void recheck(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes);
    void prepare_scores(const verification::State& state);
    void commit(const verification::State& state);
    void reveal(const verification::State& state);

    void ask(const verification::ChallengePlan& plan, const std::vector<ModelNodeEntry>& nodes, Duration time,
             bool again);
    void on_result(ChallengeResult result);
    // True once all answers came or are not waited for any more; then it is known who gave none. One that does not
    // stand for what it says in some form of request gave none, whatever it says in others.
    bool asked_all();
    void keep_transcript(std::uint64_t epoch);
    using Body = decltype(verification::Transaction::body);
    Bytes word(Body body, std::uint64_t epoch) const;
    bool has_said(const char* kind) const { return own_.epoch == work_.epoch && own_.statements.contains(kind); }
    // What it is going to say in this epoch, to be remembered before.
    void mean(const char* kind, Body body);
    void say(const char* kind);
    // Once, and again after a while.
    void submit(const char* kind, std::uint64_t epoch, const Bytes& word);

    wire::NetworkId network_;
    const crypto::Identity& identity_;
    AgentOutput& output_;
    Random& random_;
    const Clock& clock_;
    const PromptPool& pool_;
    Challenger challenger_;
    Work work_;
    OwnStatements own_;
    Time next_{};
    std::map<std::pair<std::uint64_t, std::string>, Time> said_;  // when, by epoch and kind
    std::map<std::uint64_t, Bytes> transcripts_;                  // that this node made
    // What the running epoch's transcript has to be, for on_transcript.
    std::optional<verification::TakenReport> report_;
    std::optional<verification::ChallengePlan> plan_;
    Counters counters_;
    std::string problem_;
};

}  // namespace planetserve::verification_agent
