// What a verification node does in an epoch, phase by phase (docs/protocols/verification.md): it draws; as leader it
// challenges model nodes and reports; as second verifier it challenges those that gave the leader no answer; it has the
// answers scored, commits to the scores and reveals them.
//
// Pure: the chain's state and the time go in; transactions, requests and answers to score go out (agent_output.h). The
// agent repeats each transaction until the state shows it. Before it submits what it could contradict after a restart,
// it has its owner remember it. Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "verification/state.h"
#include "verification_agent/agent_output.h"
#include "verification_agent/challenge_round.h"
#include "verification_agent/statement_sender.h"

namespace planetserve::verification_agent {

class Agent {
public:
    // identity, overlay, output, random and pool outlive the agent. remembered: what the owner was last told to
    // remember before a restart.
    Agent(const wire::NetworkId& network, const crypto::Identity& identity, inference::Service& overlay,
          AgentOutput& output, Random& random, const PromptPool& pool, OwnStatements remembered = {});

    // Does what is due. Call it after each block and at next_timer(). model_nodes: all of the registry, ascending.
    void update(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now);
    Time next_timer() const;

    // Ignores bytes that do not have the reported digest.
    void on_transcript(ByteView bytes);
    // The result of AgentOutput::score: one score for each node that answered, ascending by node.
    void on_scores(std::uint64_t epoch, std::vector<verification::Score> scores, Now now);

    // This node's own transcript as leader of an epoch; empty if it did not lead that epoch, or not lately.
    ByteView transcript(std::uint64_t epoch) const;
    const ChallengeCounters& counters() const { return round_.counters(); }
    // What is wrong, for status and logs; empty while all is well.
    const std::string& problem() const { return problem_; }

private:
    // How far the agent is with the leader's transcript.
    enum class Scoring { no_transcript, in_progress, done };

    // Of the running epoch.
    struct Work {
        std::uint64_t epoch = 0;
        std::optional<crypto::VrfProof> plan_proof;  // as leader
        // What the transcript has to match, once a leader reported.
        std::optional<verification::TakenReport> report;
        std::optional<verification::ChallengePlan> plan;
        std::optional<Time> fetched_at;  // last request for the transcript
        Scoring scoring = Scoring::no_transcript;
        std::vector<verification::Score> scores;  // when scoring is done
    };

    void begin_epoch(std::uint64_t number);
    void draw(const verification::State& state, Now now);
    void draw_ahead(const verification::State& state, Now now);
    void lead(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now);
    void recheck(const verification::State& state, const std::vector<ModelNodeEntry>& model_nodes, Now now);
    void prepare_scores(const verification::State& state, Now now);
    void commit(const verification::State& state, Now now);
    void reveal(const verification::State& state, Now now);
    verification::Reveal make_reveal(const verification::Epoch& epoch) const;
    const Bytes& keep_transcript();

    wire::NetworkId network_;
    const crypto::Identity& identity_;
    AgentOutput& output_;
    Random& random_;
    const PromptPool& pool_;
    StatementSender sender_;
    ChallengeRound round_;
    Work work_;
    Time next_{};
    std::map<std::uint64_t, Bytes> transcripts_;  // this node's own, by epoch
    std::string problem_;
};

}  // namespace planetserve::verification_agent
