// The running epoch: who drew what, who leads, what was reported.
//
// Every verifier draws with a proof over alpha = H(chain id, epoch, seed), where the seed was fixed by the outputs of
// the epoch before; so an output is known to its verifier alone until it is shown, and nobody can try others. The
// lowest output leads; a leader that does not report within its turn is replaced by the next lowest. What the leader
// challenges follows from a second output of its own, over another alpha, that it shows with its report.
//
// A verifier can withhold its draw, and so choose between two seeds for the next epoch; k that conspire, between 2^k.
// They gain a better chance to lead, at most.
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
// What is proven.
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
    bool frozen = false;
    std::uint64_t population = 0;  // of model nodes, when it was frozen
    std::optional<TakenReport> report;
    std::optional<TakenRecheck> recheck;
    std::set<NodeId> equivocators;  // count for nothing in this epoch
    bool settled = false;

    bool operator==(const Epoch&) const = default;

    // Those who drew, the lowest output first.
    std::vector<NodeId> order() const;
    // Who may report in a turn; nobody when fewer drew.
    std::optional<NodeId> leader(std::uint32_t turn) const;
    // Who asks those that gave the leader no answer: the next after it. Nobody without a report, or with one verifier
    // only.
    std::optional<NodeId> second() const;
    std::optional<ChallengePlan> plan(const Parameters& parameters) const;
    // The one that a leader's output gives, before it is reported.
    ChallengePlan plan_of(const crypto::VrfOutput& output, const Parameters& parameters) const;
    // That neither of the two verifiers got an answer of it.
    bool gave_no_answer(const NodeId& node) const;
};

Bytes encode_epoch(const Epoch& epoch);
Result<Epoch> parse_epoch(ByteView bytes);

}  // namespace planetserve::verification
