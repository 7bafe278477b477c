// Signs, remembers and repeats a verification node's own statements, so that it never contradicts itself.
//
// The agent prepares a statement, has it remembered, and sends it until the state shows it. After a restart in the same
// epoch the sender sends the remembered bytes again. Not thread-safe.
#pragma once

#include <map>
#include <string>

#include "base/time.h"
#include "verification/transaction.h"
#include "verification_agent/agent_output.h"
#include "verification_agent/own_statements.h"

namespace planetserve::verification_agent {

class StatementSender {
public:
    using Body = decltype(verification::Transaction::body);
    // A statement that no block took so far is sent again after this time.
    static constexpr Duration repeat_after = 2s;

    // identity and output outlive the sender. remembered: from before a restart, or empty.
    StatementSender(const wire::NetworkId& network, const crypto::Identity& identity, AgentOutput& output,
                    OwnStatements remembered);

    // Whether a statement of this kind and epoch is prepared, perhaps from before a restart.
    bool has(StatementKind kind, std::uint64_t epoch) const;
    // Signs a statement of an epoch. The first of a new epoch drops those of the old one. Call remember() before
    // send().
    void prepare(StatementKind kind, std::uint64_t epoch, Body body);
    void attach_transcript(Bytes transcript) { own_.transcript = std::move(transcript); }
    void remember() { output_.remember(own_); }
    // Submits a prepared statement, unless it did so less than repeat_after ago.
    // Requires: has(kind, epoch).
    void send(StatementKind kind, std::uint64_t epoch, Now now);
    // Submits a statement that the identity alone determines: it needs no remembering.
    void send_unprepared(StatementKind kind, std::uint64_t epoch, Body body, Now now);

    const OwnStatements& own() const { return own_; }

private:
    Bytes sign(Body body, std::uint64_t epoch) const;
    // Whether it is time to submit; if so, now is the time of the last submission.
    bool due(StatementKind kind, std::uint64_t epoch, Now now);

    wire::NetworkId network_;
    const crypto::Identity& identity_;
    AgentOutput& output_;
    OwnStatements own_;
    std::map<std::pair<std::uint64_t, StatementKind>, Time> sent_;  // last submission
};

}  // namespace planetserve::verification_agent
