// The running epoch: the draws, the leader, the report and the recheck.
//
// Every verifier draws with a proof over alpha = H(chain id, epoch, seed). The outputs of the epoch before fix the
// seed, so only the verifier knows its output until it shows it, and nobody can try others. The lowest output leads. A
// leader that does not report within its turn is replaced by the next lowest. The leader's challenges follow from a
// second output, over another alpha, that it shows with its report.
//
// A verifier can withhold its draw and so choose between two seeds for the next epoch; k that conspire choose between
// 2^k. That gives them a better chance to lead and nothing else.
#pragma once

#include <map>
#include <optional>
#include <set>

#include "verification/challenge_plan.h"
#include "verification/transaction.h"
#include "verification/verifiers.h"

namespace planetserve::verification {

using Seed = FixedBytes<struct SeedTag, 32>;

enum class Purpose : std::uint8_t { draw = 1, plan = 2 };
// The input of the proof.
Bytes alpha(std::string_view chain_id, std::uint64_t epoch, const Seed& seed, Purpose purpose);

Seed first_seed(const wire::NetworkId& network);
// From the outputs in ascending order.
Seed next_seed(std::uint64_t epoch, const Seed& seed, const std::map<NodeId, crypto::VrfOutput>& draws);

struct TakenReport {
    NodeId leader;
    crypto::VrfOutput plan_output;
    crypto::Digest transcript{};
    std::vector<NodeId> unanswered;
    bool operator==(const TakenReport&) const = default;
};

struct TakenRecheck {
    NodeId verifier;
    std::vector<NodeId> unanswered;
    bool operator==(const TakenRecheck&) const = default;
};

struct Epoch {
    std::uint64_t number = 0;
    Seed seed;
    std::map<NodeId, crypto::VrfOutput> draws;
    bool frozen = false;           // no more draws; the plan is fixed
    std::uint64_t population = 0;  // model nodes when the epoch was frozen
    std::optional<TakenReport> report;
    std::optional<TakenRecheck> recheck;
    std::set<NodeId> equivocators;  // verifiers whose votes do not count in this epoch
    bool settled = false;           // the votes moved the reputations

    bool operator==(const Epoch&) const = default;

    // The verifiers that drew, the lowest output first.
    std::vector<NodeId> order() const;
    // The verifier that may report in a turn; none when fewer drew.
    std::optional<NodeId> leader(std::uint32_t turn) const;
    // The second verifier, which challenges the nodes that gave the leader no answer: the next in the order after the
    // leader. None without a report, or with only one verifier.
    std::optional<NodeId> second() const;
    std::optional<ChallengePlan> plan(const Parameters& parameters) const;
    // The plan of a leader's output, before it reports.
    ChallengePlan plan_of(const crypto::VrfOutput& output, const Parameters& parameters) const;
    // Whether neither the leader nor the second verifier got an answer from the node.
    bool gave_no_answer(const NodeId& node) const;
};

Bytes encode_epoch(const Epoch& epoch);
Result<Epoch> parse_epoch(ByteView bytes);

}  // namespace planetserve::verification
