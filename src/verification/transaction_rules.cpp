#include "verification/transaction_rules.h"

#include <algorithm>

namespace planetserve::verification {

namespace {

std::unexpected<Error> already() { return fail(ErrorCode::already_exists, "this verifier already sent this"); }

}  // namespace

Bytes EpochView::alpha(Purpose purpose) const {
    return verification::alpha(chain.id, epoch.number, epoch.seed, purpose);
}

Bytes EpochView::draw_alpha(UnixTime time) const {
    const std::uint64_t number = schedule.epoch(time);
    if (number == epoch.number) return alpha(Purpose::draw);
    return verification::alpha(chain.id, number, next_seed(epoch.number, epoch.seed, epoch.draws), Purpose::draw);
}

Status TransactionRules::require_phase(Phase phase, UnixTime time) const {
    Phase now = view_.schedule.phase(view_.epoch.number, time);
    if (now == phase) return {};
    return fail(ErrorCode::invalid_argument, "epoch " + std::to_string(view_.epoch.number) + " is in its phase '" +
                                                 std::string(name_of(now)) + "'; this is for '" +
                                                 std::string(name_of(phase)) + "'");
}

Status TransactionRules::check_sender(const Transaction& transaction) const {
    if (transaction.network != view_.chain.network)
        return fail(ErrorCode::permission_denied, "a transaction for network " + transaction.network.brief() +
                                                      "; this one is " + view_.chain.network.brief());
    if (!view_.verifiers.contains(transaction.sender))
        return fail(ErrorCode::permission_denied, transaction.sender.brief() + " is no verification node");
    return {};
}

Result<Verdict> TransactionRules::judge(const Transaction& transaction, UnixTime time) const {
    if (auto sender = check_sender(transaction); !sender) return std::unexpected(sender.error());
    if (transaction.epoch != view_.epoch.number)
        return fail(ErrorCode::invalid_argument, "a transaction for epoch " + std::to_string(transaction.epoch) +
                                                     "; this is " + std::to_string(view_.epoch.number));
    if (view_.epoch.equivocators.contains(transaction.sender))
        return fail(ErrorCode::permission_denied, "verifier " + transaction.sender.brief() +
                                                      " said two different things; it does not count in this epoch");
    return std::visit([&](const auto& body) { return judge(transaction.sender, body, time); }, transaction.body);
}

Result<Verdict> TransactionRules::judge(const NodeId& sender, const Draw& draw, UnixTime time) const {
    if (auto phase = require_phase(Phase::draw, time); !phase) return std::unexpected(phase.error());
    if (view_.epoch.draws.contains(sender)) return already();
    if (!crypto::vrf_verify(sender, view_.alpha(Purpose::draw), draw.proof))
        return fail(ErrorCode::authentication, "a draw whose proof is wrong");
    return Verdict::accept;
}

Result<Verdict> TransactionRules::judge(const NodeId& sender, const Report& report, UnixTime time) const {
    if (auto phase = require_phase(Phase::challenge, time); !phase) return std::unexpected(phase.error());
    if (view_.epoch.leader(view_.schedule.turn(view_.epoch.number, time)) != sender)
        return fail(ErrorCode::permission_denied, "it is not " + sender.brief() + "'s turn to lead");
    if (view_.epoch.report && view_.epoch.report->leader != sender)
        return fail(ErrorCode::already_exists, "an earlier leader reported");
    auto output = crypto::vrf_verify(sender, view_.alpha(Purpose::plan), report.plan_proof);
    if (!output) return fail(ErrorCode::authentication, "a report whose proof is wrong");
    ChallengePlan plan = view_.epoch.plan_of(*output, view_.parameters);
    if (!std::ranges::all_of(report.unanswered, [&](const NodeId& node) { return plan.challenged(node); }))
        return fail(ErrorCode::invalid_argument, "a report of a node that was not to be challenged");
    if (!view_.epoch.report) return Verdict::accept;
    TakenReport now{sender, *output, report.transcript, report.unanswered};
    if (*view_.epoch.report == now) return already();
    return Verdict::equivocation;
}

Result<Verdict> TransactionRules::judge(const NodeId& sender, const Recheck& recheck, UnixTime time) const {
    if (auto phase = require_phase(Phase::recheck, time); !phase) return std::unexpected(phase.error());
    if (view_.epoch.second() != sender)
        return fail(ErrorCode::permission_denied, "it is not for " + sender.brief() + " to ask once more");
    if (!std::ranges::includes(view_.epoch.report->unanswered, recheck.unanswered))
        return fail(ErrorCode::invalid_argument, "a recheck of a node that the leader had an answer of");
    if (!view_.epoch.recheck) return Verdict::accept;
    if (view_.epoch.recheck->unanswered == recheck.unanswered) return already();
    return Verdict::equivocation;
}

Result<Verdict> TransactionRules::judge(const NodeId& sender, const Commit& commit, UnixTime time) const {
    if (auto phase = require_phase(Phase::commit, time); !phase) return std::unexpected(phase.error());
    if (!view_.epoch.report) return fail(ErrorCode::not_found, "no leader reported, so there is nothing to vote on");
    auto found = view_.ballots.find(sender);
    if (found == view_.ballots.end()) return Verdict::accept;
    if (found->second.digest == commit.digest) return already();
    return Verdict::equivocation;
}

// A reveal that does not fit the commit is a second vote.
Result<Verdict> TransactionRules::judge(const NodeId& sender, const Reveal& reveal, UnixTime time) const {
    if (auto phase = require_phase(Phase::reveal, time); !phase) return std::unexpected(phase.error());
    auto found = view_.ballots.find(sender);
    if (found == view_.ballots.end()) return fail(ErrorCode::not_found, "a reveal of what was not committed to");
    auto plan = view_.epoch.plan(view_.parameters);
    if (!plan) return fail(ErrorCode::not_found, "no leader reported");
    if (!std::ranges::all_of(reveal.scores, [&](const Score& score) { return plan->challenged(score.node); }))
        return fail(ErrorCode::invalid_argument, "a score of a node that was not to be challenged");
    if (commitment(view_.chain.network, view_.epoch.number, sender, view_.epoch.report->transcript, reveal) !=
        found->second.digest)
        return Verdict::equivocation;
    if (found->second.revealed) return already();
    return Verdict::accept;
}

Status TransactionRules::check_ahead(const Transaction& transaction, UnixTime time) const {
    if (auto sender = check_sender(transaction); !sender) return sender;
    std::uint64_t number = view_.schedule.epoch(time);
    const auto* draw = std::get_if<Draw>(&transaction.body);
    if (draw == nullptr || transaction.epoch != number || view_.schedule.phase(number, time) != Phase::draw)
        return fail(ErrorCode::invalid_argument, "epoch " + std::to_string(number) + " has only begun");
    if (!crypto::vrf_verify(transaction.sender, view_.draw_alpha(time), draw->proof))
        return fail(ErrorCode::authentication, "a draw whose proof is wrong");
    return {};
}

}  // namespace planetserve::verification
