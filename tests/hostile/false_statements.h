// Stands between a verification node's agent and its consensus engine, and submits other statements than the agent's,
// signed with the node's own key. Orders, each on its own or several at once:
//
//     withhold             sends no draw
//     wrong-draw           before its draw, sends one whose proof is of something else
//     anothers-name        before its draw, sends one in the name of another verification node
//     accuse               leads, and reports that no challenged node gave an answer
//     off-plan-nodes       leads, and before its report accuses a node that its plan does not challenge
//     off-plan-questions   leads, and shows answers to challenges that are not its plan's
//     two-reports          leads, and reports twice
//     nonsense             votes 0 for each node that runs a model and 1 for the others, whatever they answered
//     off-plan-scores      votes on a node that the plan does not challenge
//     two-commits          commits a second time, to something else
#pragma once

#include <functional>
#include <optional>

#include "committee/consensus_engine.h"
#include "committee/registry.h"
#include "diary.h"
#include "roles/runtime.h"
#include "verification_agent/transcript.h"

namespace planetserve::hostile {

class FalseStatements final : public committee::ConsensusEngine {
public:
    using ReadRegistry = std::function<const committee::Registry*()>;

    // All of it outlives this.
    FalseStatements(roles::Runtime& runtime, committee::ConsensusEngine& honest, ReadRegistry registry, Diary& diary)
        : runtime_(runtime), honest_(honest), registry_(std::move(registry)), diary_(diary) {}

    void submit(ByteView transaction, UnixTime now, Answer answer) override;
    Result<committee::StateHeader> proof(UnixTime now) override { return honest_.proof(now); }
    Bytes proven_state() const override { return honest_.proven_state(); }

    // Sends votes of its own, and a second, contradicting statement once the first is in the state.
    void on_timer();
    Time next_timer() const { return next_; }
    // The false transcript of an epoch; nothing if it shows the agent's own.
    std::optional<Bytes> transcript(std::uint64_t epoch) const;

private:
    using Transaction = verification::Transaction;

    void change(Transaction honest);
    void on_draw(const Transaction& honest);
    void on_report(const Transaction& honest);
    void on_commit(const Transaction& honest);

    const verification::State& state() const { return *registry_()->verification(); }
    bool ordered(std::uint64_t epoch, const char* order) { return diary_.orders_for(epoch).contains(order); }
    // The network's model nodes that the plan challenges, and the others.
    std::vector<NodeId> on_plan(const verification::ChallengePlan& plan) const;
    std::vector<NodeId> not_on_plan(const verification::ChallengePlan& plan) const;
    // A node that the plan does not challenge, listed or made up; nothing if it challenges all.
    std::optional<NodeId> off_plan(const verification::ChallengePlan& plan) const;
    verification_agent::TranscriptEntry answer_to_another_question(const NodeId& node, const std::string& model) const;
    bool votes_falsely(std::uint64_t epoch);
    const verification::Reveal& own_vote(std::uint64_t epoch);
    void vote();
    void send_second();
    void show(std::uint64_t epoch, verification_agent::Transcript transcript, verification::Report& report);
    void send(const std::string& kind, const Transaction& transaction, Answer answer = {});

    roles::Runtime& runtime_;
    committee::ConsensusEngine& honest_;
    ReadRegistry registry_;
    Diary& diary_;
    std::optional<std::pair<std::uint64_t, Bytes>> transcript_;               // by epoch
    std::optional<std::pair<std::uint64_t, verification::Reveal>> own_vote_;  // by epoch
    std::optional<Transaction> second_, third_;
    Time next_{};
};

}  // namespace planetserve::hostile
