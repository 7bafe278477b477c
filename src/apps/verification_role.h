// What a verification node does besides keeping the registry: it challenges, scores and votes on model nodes
// (docs/protocols/verification.md). It asks over paths of its own, as a user does, and scores on its own copies.
#pragma once

#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>

#include "adapters/llama/managed_engine.h"
#include "apps/config.h"
#include "apps/runtime.h"
#include "committee/consensus_engine.h"
#include "node/user_node.h"
#include "verification_agent/agent.h"

#ifdef PLANETSERVE_SCORER
#include "adapters/scorer/judge.h"
#endif

namespace planetserve::apps {

class VerificationRole final : public verification_agent::AgentOutput {
public:
    // The registry's state as of the last block; null while there is none.
    using ReadRegistry = std::function<const committee::Registry*()>;

    // Fails where a model that is to be scored cannot be, or the prompts are not those of the genesis. All but the
    // configuration outlive the role.
    static Result<std::unique_ptr<VerificationRole>> make(Runtime& runtime, const VerifierConfig& config,
                                                          committee::ConsensusEngine& engine, ReadRegistry registry);
    ~VerificationRole() override;

    // False for a frame that is none of its business.
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
    VerificationRole(Runtime& runtime, committee::ConsensusEngine& engine, ReadRegistry registry,
                     verification_agent::PromptPool pool, verification_agent::OwnStatements said);
    Status load_models(const std::vector<ServedModelConfig>& models);
    void take_registry(const committee::Registry& registry);
    void log_duty();

    Runtime& runtime_;
    committee::ConsensusEngine& engine_;
    ReadRegistry registry_;
    node::UserNode user_;
    const verification_agent::PromptPool pool_;
    verification_agent::Agent duty_;
    Time next_poll_{};
    Time list_taken_{};
    std::int64_t list_height_ = -1;
    std::vector<verification_agent::ModelNodeEntry> model_nodes_;
    std::vector<std::unique_ptr<adapters::ManagedEngine>> engines_;
    std::string logged_problem_;       // of the duty
    std::uint64_t logged_failed_ = 0;  // challenges
    std::string refusal_;              // of the last transaction that was not taken
#ifdef PLANETSERVE_SCORER
    std::unique_ptr<adapters::Judge> judge_;
#endif
};

}  // namespace planetserve::apps
