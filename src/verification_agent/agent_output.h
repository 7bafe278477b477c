// What an Agent needs from its owner (agent.h).
#pragma once

#include <vector>

#include "base/bytes.h"
#include "base/ids.h"
#include "scoring/signed_answer.h"
#include "verification_agent/challenge.h"
#include "verification_agent/own_statements.h"

namespace planetserve::verification_agent {

// A challenge and the answer that a node signed.
struct ChallengeAnswer {
    Challenge challenge;
    scoring::SignedAnswer answer;
};

class AgentOutput {
public:
    virtual ~AgentOutput() = default;
    // Stores the statements durably, in place of those stored before. The agent calls it before it submits them. After
    // a restart the owner gives them to the new Agent.
    virtual void remember(const OwnStatements& statements) = 0;
    // Submits a transaction for the next block. The agent does not learn of a refusal: it looks at the state.
    virtual void submit(Bytes transaction) = 0;
    // Asks the leader for the transcript of an epoch. Pass each transcript that arrives to Agent::on_transcript,
    // whoever sent it.
    virtual void fetch_transcript(const NodeId& leader, std::uint64_t epoch) = 0;
    // Scores answers and passes the result to Agent::on_scores. A later call cancels an earlier one.
    virtual void score(std::uint64_t epoch, std::vector<ChallengeAnswer> answers) = 0;
};

}  // namespace planetserve::verification_agent
