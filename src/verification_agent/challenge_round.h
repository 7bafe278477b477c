// One round of challenges: the leader challenges the nodes of its plan, or the second verifier challenges those that
// gave the leader no answer. The round sends the requests, collects the results, and tells which nodes gave no answer.
//
// Not thread-safe.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/random.h"
#include "verification_agent/challenger.h"
#include "verification_agent/transcript.h"

namespace planetserve::verification_agent {

struct ModelNodeEntry {
    NodeId id;
    std::vector<std::string> models;  // ascending
};

// Who challenges. A second verifier uses request ids of its own and asks for the node's own answer: the node to which
// the first request was forwarded may be why the leader got none.
enum class ChallengeBy : std::uint8_t { leader, second_verifier };

struct ChallengeCounters {
    std::uint64_t asked = 0;
    std::uint64_t answered = 0;
    std::string last_failure = {};  // names the node and the reason
};

class ChallengeRound {
public:
    // All of them outlive the round.
    ChallengeRound(inference::Service& overlay, Random& random, const PromptPool& pool);

    bool started_by(ChallengeBy by) const { return by_ == by; }
    // Spreads the challenges of a plan to these nodes over the first half of the time, as users ask. It stops waiting
    // after three quarters of the time, so that a block can still take the report. A node gets one challenge at a time,
    // so those go first whose silence counts: a node that hangs would get no other.
    void start(const verification::ChallengePlan& plan, const std::vector<ModelNodeEntry>& nodes, Duration time,
               ChallengeBy by, Now now);
    // Cancels what is under way and forgets all results, but not the counters.
    void clear();

    void on_timer(Now now) { challenger_.on_timer(now); }
    // Also due when a result arrived that the owner has not seen.
    Time next_timer() const { return challenger_.next_timer(); }
    // True when every challenge is answered or past its deadline. From then on unanswered() does not change.
    // Requires: start() was called since the last clear().
    bool finished(Now now);
    // Nodes that gave no answer, ascending: those with an unsigned answer to any form of request, and those with
    // silence and no answer. Requires: finished() returned true.
    const std::vector<NodeId>& unanswered() const;
    // Of all results. Those that do not fit into Transcript::largest are left out.
    Transcript transcript(std::uint64_t epoch) const;

    const ChallengeCounters& counters() const { return counters_; }

private:
    void on_result(ChallengeResult result);

    Random& random_;
    const PromptPool& pool_;
    Challenger challenger_;
    std::optional<ChallengeBy> by_;  // none before start()
    Time deadline_{};
    std::size_t expected_ = 0;
    std::map<std::pair<NodeId, std::uint32_t>, TranscriptEntry> results_;
    std::map<NodeId, std::set<ChallengeOutcome>> outcomes_;
    std::optional<std::vector<NodeId>> unanswered_;
    ChallengeCounters counters_;
};

}  // namespace planetserve::verification_agent
