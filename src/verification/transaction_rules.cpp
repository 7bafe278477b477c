// Which transactions are taken, and what they change.
#include <algorithm>

#include "verification/leaf_keys.h"
#include "verification/state.h"

namespace planetserve::verification {

namespace {

std::unexpected<Error> already() { return fail(ErrorCode::already_exists, "this verifier has said so already"); }

}  // namespace

Status State::require_phase(Phase phase, UnixTime time) const {
    Phase now = schedule_.phase(epoch_.number, time);
    if (now == phase) return {};
    return fail(ErrorCode::invalid_argument, "epoch " + std::to_string(epoch_.number) + " is in its phase '" +
                                                 std::string(name_of(now)) + "'; this is for '" +
                                                 std::string(name_of(phase)) + "'");
}

Status State::check_sender(const Transaction& transaction) const {
    if (transaction.network != chain_.network)
        return fail(ErrorCode::permission_denied, "a transaction for network " + transaction.network.brief() +
                                                      "; this one is " + chain_.network.brief());
    if (!verifiers_.contains(transaction.sender))
        return fail(ErrorCode::permission_denied, transaction.sender.brief() + " is no verification node");
    return {};
}

Result<State::Verdict> State::judge(const Transaction& transaction, UnixTime time) const {
    if (auto sender = check_sender(transaction); !sender) return std::unexpected(sender.error());
    if (transaction.epoch != epoch_.number)
        return fail(ErrorCode::invalid_argument, "a transaction for epoch " + std::to_string(transaction.epoch) +
                                                     "; this is " + std::to_string(epoch_.number));
    if (epoch_.equivocators.contains(transaction.sender))
        return fail(ErrorCode::permission_denied, "verifier " + transaction.sender.brief() +
                                                      " said two different things; it does not count in this epoch");
    return std::visit([&](const auto& body) { return judge(transaction.sender, body, time); }, transaction.body);
}

Result<State::Verdict> State::judge(const NodeId& sender, const Draw& draw, UnixTime time) const {
    if (auto phase = require_phase(Phase::draw, time); !phase) return std::unexpected(phase.error());
    if (epoch_.draws.contains(sender)) return already();
    if (!crypto::vrf_verify(sender, alpha(Purpose::draw), draw.proof))
        return fail(ErrorCode::authentication, "a draw whose proof is wrong");
    return Verdict::take;
}

Result<State::Verdict> State::judge(const NodeId& sender, const Report& report, UnixTime time) const {
    if (auto phase = require_phase(Phase::challenge, time); !phase) return std::unexpected(phase.error());
    if (epoch_.leader(schedule_.turn(epoch_.number, time)) != sender)
        return fail(ErrorCode::permission_denied, "it is not " + sender.brief() + "'s turn to lead");
    if (epoch_.report && epoch_.report->leader != sender)
        return fail(ErrorCode::already_exists, "an earlier leader reported");
    auto output = crypto::vrf_verify(sender, alpha(Purpose::plan), report.plan_proof);
    if (!output) return fail(ErrorCode::authentication, "a report whose proof is wrong");
    ChallengePlan plan = epoch_.plan_of(*output, parameters_);
    if (!std::ranges::all_of(report.unanswered, [&](const NodeId& node) { return plan.challenged(node); }))
        return fail(ErrorCode::invalid_argument, "a report of a node that was not to be challenged");
    if (!epoch_.report) return Verdict::take;
    TakenReport now{sender, *output, report.transcript, report.unanswered};
    if (*epoch_.report == now) return already();
    return Verdict::equivocation;
}

Result<State::Verdict> State::judge(const NodeId& sender, const Recheck& recheck, UnixTime time) const {
    if (auto phase = require_phase(Phase::recheck, time); !phase) return std::unexpected(phase.error());
    if (epoch_.second() != sender)
        return fail(ErrorCode::permission_denied, "it is not for " + sender.brief() + " to ask once more");
    if (!std::ranges::includes(epoch_.report->unanswered, recheck.unanswered))
        return fail(ErrorCode::invalid_argument, "a recheck of a node that the leader had an answer of");
    if (!epoch_.recheck) return Verdict::take;
    if (epoch_.recheck->unanswered == recheck.unanswered) return already();
    return Verdict::equivocation;
}

Result<State::Verdict> State::judge(const NodeId& sender, const Commit& commit, UnixTime time) const {
    if (auto phase = require_phase(Phase::commit, time); !phase) return std::unexpected(phase.error());
    if (!epoch_.report) return fail(ErrorCode::not_found, "no leader reported, so there is nothing to vote on");
    auto found = ballots_.find(sender);
    if (found == ballots_.end()) return Verdict::take;
    if (found->second.digest == commit.digest) return already();
    return Verdict::equivocation;
}

// A reveal of something else than was committed to is a second vote.
Result<State::Verdict> State::judge(const NodeId& sender, const Reveal& reveal, UnixTime time) const {
    if (auto phase = require_phase(Phase::reveal, time); !phase) return std::unexpected(phase.error());
    auto found = ballots_.find(sender);
    if (found == ballots_.end()) return fail(ErrorCode::not_found, "a reveal of what was not committed to");
    auto plan = epoch_.plan(parameters_);
    if (!plan) return fail(ErrorCode::not_found, "no leader reported");
    if (!std::ranges::all_of(reveal.scores, [&](const Score& score) { return plan->challenged(score.node); }))
        return fail(ErrorCode::invalid_argument, "a score of a node that was not to be challenged");
    if (commitment(chain_.network, epoch_.number, sender, epoch_.report->transcript, reveal) != found->second.digest)
        return Verdict::equivocation;
    if (found->second.revealed) return already();
    return Verdict::take;
}

// No block of that epoch has been made, perhaps because nobody had anything to say; a draw is what would begin it.
Status State::check_ahead(const Transaction& transaction, UnixTime time) const {
    if (auto sender = check_sender(transaction); !sender) return sender;
    std::uint64_t number = schedule_.epoch(time);
    const auto* draw = std::get_if<Draw>(&transaction.body);
    if (draw == nullptr || transaction.epoch != number || schedule_.phase(number, time) != Phase::draw)
        return fail(ErrorCode::invalid_argument, "epoch " + std::to_string(number) + " has only begun");
    if (!crypto::vrf_verify(transaction.sender, draw_alpha(time), draw->proof))
        return fail(ErrorCode::authentication, "a draw whose proof is wrong");
    return {};
}

Status State::check(const Transaction& transaction, UnixTime time) const {
    time = std::max(time, time_);
    if (schedule_.epoch(time) != epoch_.number) return check_ahead(transaction, time);
    auto verdict = judge(transaction, time);
    if (!verdict) return std::unexpected(verdict.error());
    return {};
}

Status State::apply(const Transaction& transaction) {
    auto verdict = judge(transaction, time_);
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict == Verdict::equivocation) {
        void_all_of(transaction.sender);
        return fail(ErrorCode::already_exists, "verifier " + transaction.sender.brief() + " said two different things");
    }
    std::visit([&](const auto& body) { take(transaction.sender, body); }, transaction.body);
    return {};
}

Status State::apply(ByteView bytes) {
    auto transaction = parse_transaction(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    return apply(*transaction);
}

void State::take(const NodeId& sender, const Draw& draw) {
    // The output, not the proof: a verifier can make several proofs of one output.
    epoch_.draws.emplace(sender, *crypto::vrf_proof_to_hash(draw.proof));
    put(leaf_key("epoch"), encode_epoch(epoch_));
}

void State::take(const NodeId& sender, const Report& report) {
    epoch_.report =
        TakenReport{sender, *crypto::vrf_proof_to_hash(report.plan_proof), report.transcript, report.unanswered};
    put(leaf_key("epoch"), encode_epoch(epoch_));
}

void State::take(const NodeId& sender, const Recheck& recheck) {
    epoch_.recheck = TakenRecheck{sender, recheck.unanswered};
    put(leaf_key("epoch"), encode_epoch(epoch_));
}

void State::take(const NodeId& sender, const Commit& commit) {
    Ballot& ballot = ballots_[sender];
    ballot.digest = commit.digest;
    put(leaf_key("ballot", sender), encode_ballot(sender, ballot));
}

void State::take(const NodeId& sender, const Reveal& reveal) {
    Ballot& ballot = ballots_[sender];
    ballot.revealed = true;
    ballot.scores = reveal.scores;
    put(leaf_key("ballot", sender), encode_ballot(sender, ballot));
}

void State::void_all_of(const NodeId& verifier) {
    epoch_.equivocators.insert(verifier);
    // A leader's second report comes in its own turn only, before anybody votes on the first.
    if (epoch_.report && epoch_.report->leader == verifier && ballots_.empty() && !epoch_.recheck &&
        schedule_.phase(epoch_.number, time_) == Phase::challenge)
        epoch_.report.reset();
    if (epoch_.recheck && epoch_.recheck->verifier == verifier &&
        schedule_.phase(epoch_.number, time_) == Phase::recheck)
        epoch_.recheck.reset();
    ballots_.erase(verifier);
    erase(leaf_key("ballot", verifier));
    VerifierRecord after = record(verifier);
    ++after.equivocations;
    set_record(verifier, after);
    put(leaf_key("epoch"), encode_epoch(epoch_));
}

}  // namespace planetserve::verification
