// Stands between a verification node's agent and its consensus engine, and says other things than the agent does,
// signed with the node's own key. Words, each on its own or several at once:
//
//     withhold             no draw
//     wrong-draw           before its draw, one whose proof is of something else
//     anothers-name        before its draw, the same in the name of another verification node
//     accuse               leads, and reports of all it was to challenge that they gave no answer
//     off-plan-nodes       leads, and before its report accuses a node that it was not to challenge
//     off-plan-questions   leads, and shows answers to questions that are not its plan's
//     two-reports          leads, and reports twice
//     nonsense             votes 0 for whoever runs a model and 1 for the others, whatever they answered
//     off-plan-scores      votes on a node that was not to be challenged
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

    // Votes as it likes, and says what comes second once what came first is in the state.
    void on_timer();
    Time next_timer() const { return next_; }
    // What it shows as its transcript of an epoch; nothing where that is the agent's own.
    std::optional<Bytes> transcript(std::uint64_t epoch) const;

private:
    using Transaction = verification::Transaction;

    void change(Transaction honest);
    void on_draw(const Transaction& honest);
    void on_report(const Transaction& honest);
    void on_commit(const Transaction& honest);

    const verification::State& state() const { return *registry_()->verification(); }
    bool told(std::uint64_t epoch, const char* word) { return diary_.told(epoch).contains(word); }
    // Of the network's model nodes, those that the plan has or has not.
    std::vector<NodeId> listed(const verification::ChallengePlan& plan, bool challenged) const;
    // Nothing where all are to be challenged.
    std::optional<NodeId> off_plan(const verification::ChallengePlan& plan) const;
    verification_agent::TranscriptEntry answer_to_another_question(const NodeId& node, const std::string& model) const;
    bool votes_as_it_likes(std::uint64_t epoch);
    const verification::Reveal& own_vote(std::uint64_t epoch);
    void vote();
    void say_second();
    void show(std::uint64_t epoch, verification_agent::Transcript transcript, verification::Report& report);
    void say(const std::string& kind, const Transaction& transaction, Answer answer = {});

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
