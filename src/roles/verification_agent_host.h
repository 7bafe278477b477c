// Gives a verification agent what it needs of its node: paths of its own to ask model nodes over, copies of their
// models to score by, the consensus engine for its transactions, and a file for its statements
// (docs/protocols/verification.md).
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>

#include "committee/consensus_engine.h"
#include "config/verifier_config.h"
#include "node/user_node.h"
#include "roles/model_scorer.h"
#include "roles/runtime.h"
#include "verification_agent/agent.h"

namespace planetserve::roles {

class VerificationAgentHost final : public verification_agent::AgentOutput {
public:
    // The registry's state as of the last block; null while there is none.
    using ReadRegistry = std::function<const committee::Registry*()>;

    // Fails where a model cannot be scored, or the prompt pool is not the one that the genesis states. The runtime, the
    // engine and the registry outlive the host.
    static Result<std::unique_ptr<VerificationAgentHost>> make(Runtime& runtime, const config::VerifierConfig& config,
                                                               committee::ConsensusEngine& engine,
                                                               ReadRegistry registry);
    ~VerificationAgentHost() override;

    // False for a frame of no concern to the agent.
    bool on_frame(const NodeId& from, wire::FrameType type, MutableByteView payload);
    void on_link_down(const NodeId& peer) { user_.on_link_down(peer); }
    void on_drained(const NodeId& peer) { user_.on_drained(peer); }
    void on_timer();
    Time next_timer() const;

    boost::json::object status() const;

    void remember(const verification_agent::OwnStatements& said) override;
    void submit(Bytes transaction) override;
    void fetch_transcript(const NodeId& leader, std::uint64_t epoch) override;
    void score(std::uint64_t epoch, std::vector<verification_agent::ChallengeAnswer> exhibits) override;

private:
    VerificationAgentHost(Runtime& runtime, committee::ConsensusEngine& engine, ReadRegistry registry,
                          verification_agent::PromptPool pool, verification_agent::OwnStatements said);
    void take_registry(const committee::Registry& registry);
    void log_agent();

    Runtime& runtime_;
    committee::ConsensusEngine& engine_;
    ReadRegistry registry_;
    node::UserNode user_;
    const verification_agent::PromptPool pool_;
    verification_agent::Agent agent_;
    Time next_poll_{};
    Time list_taken_{};
    std::int64_t list_height_ = -1;
    std::vector<verification_agent::ModelNodeEntry> model_nodes_;
    std::string logged_problem_;           // of the agent
    std::uint64_t logged_failed_ = 0;      // challenges
    std::string refusal_;                  // of the last transaction that was not taken
    std::unique_ptr<ModelScorer> scorer_;  // last: it calls the members above
};

}  // namespace planetserve::roles
