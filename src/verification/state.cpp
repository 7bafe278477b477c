#include "verification/state.h"

#include <stdexcept>

#include "verification/leaf_keys.h"

namespace planetserve::verification {

namespace {

template <typename... Functions>
struct Overloaded : Functions... {
    using Functions::operator()...;
};

std::unexpected<Error> bad_state(std::string_view what) {
    return fail(ErrorCode::malformed, "a stored state of verification with " + std::string(what));
}

}  // namespace

State::State(Chain chain, const std::vector<Verifier>& verifiers, const Parameters& parameters)
    : chain_(std::move(chain)),
      verifiers_(verifiers),
      parameters_(parameters),
      schedule_(chain_.genesis, parameters),
      time_(chain_.genesis) {
    if (auto checked = verification::check(parameters); !checked) throw std::invalid_argument(checked.error().message);
    epoch_.seed = first_seed(chain_.network);
    leaves_.put(leaf_key("parameters"), encode(parameters_));
    store_epoch();
}

void State::begin_block(UnixTime time, std::uint64_t model_nodes) {
    time_ = std::max(time_, time);
    bool changed = false;
    if (std::uint64_t number = schedule_.epoch(time_); number != epoch_.number) {
        if (!epoch_.settled) settle_votes();
        begin_epoch(number);
        changed = true;
    }
    Phase phase = schedule_.phase(epoch_.number, time_);
    if (!epoch_.frozen && phase != Phase::draw) {
        epoch_.frozen = true;
        epoch_.population = model_nodes;
        changed = true;
    }
    if (!epoch_.settled && phase == Phase::idle) {
        settle_votes();
        changed = true;
    }
    if (changed) store_epoch();
}

void State::begin_epoch(std::uint64_t number) {
    for (const auto& [verifier, ballot] : ballots_) leaves_.erase(leaf_key("ballot", verifier));
    ballots_.clear();
    Seed seed = next_seed(epoch_.number, epoch_.seed, epoch_.draws);
    epoch_ = Epoch{};
    epoch_.number = number;
    epoch_.seed = seed;
    if (number <= parameters_.forget_epochs) return;
    for (const NodeId& node : standings_.forget_before(number - parameters_.forget_epochs))
        leaves_.erase(leaf_key("node", node));
}

void State::settle_votes() {
    epoch_.settled = true;
    if (!epoch_.report) return;
    Settlement settlement = settle(epoch_, ballots_, verifiers_, parameters_);
    for (const auto& [node, credit] : settlement.credits) {
        const Standing* known = standings_.find(node);
        const Standing before = known == nullptr ? initial_standing(parameters_) : *known;
        const Standing after = after_score(before, credit, epoch_.number, parameters_);
        standings_.set(node, after);
        leaves_.put(leaf_key("node", node), encode_standing(node, after));
    }
    for (const auto& [verifier, power] : verifiers_.powers()) {
        auto ballot = ballots_.find(verifier);
        bool missed = ballot == ballots_.end() || !ballot->second.revealed;
        auto far = settlement.far.find(verifier);
        VerifierRecord after = record(verifier);
        after.add_epoch(far != settlement.far.end() && far->second, missed);
        set_record(verifier, after);
    }
}

Status State::check(const Transaction& transaction, UnixTime time) const {
    time = std::max(time, time_);
    const TransactionRules rules(view());
    if (schedule_.epoch(time) != epoch_.number) return rules.check_ahead(transaction, time);
    auto verdict = rules.judge(transaction, time);
    if (!verdict) return std::unexpected(verdict.error());
    return {};
}

Status State::apply(const Transaction& transaction) {
    auto verdict = TransactionRules(view()).judge(transaction, time_);
    if (!verdict) return std::unexpected(verdict.error());
    if (*verdict == Verdict::equivocation) {
        void_all_of(transaction.sender);
        return fail(ErrorCode::already_exists, "verifier " + transaction.sender.brief() + " said two different things");
    }
    accept(transaction);
    return {};
}

Status State::apply(ByteView bytes) {
    auto transaction = parse_transaction(bytes);
    if (!transaction) return std::unexpected(transaction.error());
    return apply(*transaction);
}

void State::accept(const Transaction& transaction) {
    const NodeId& sender = transaction.sender;
    std::visit(Overloaded{
                   [&](const Draw& draw) {
                       // The output, not the proof: a verifier can make several proofs of one output.
                       epoch_.draws.emplace(sender, *crypto::vrf_proof_to_hash(draw.proof));
                       store_epoch();
                   },
                   [&](const Report& report) {
                       epoch_.report = TakenReport{sender, *crypto::vrf_proof_to_hash(report.plan_proof),
                                                   report.transcript, report.unanswered};
                       store_epoch();
                   },
                   [&](const Recheck& recheck) {
                       epoch_.recheck = TakenRecheck{sender, recheck.unanswered};
                       store_epoch();
                   },
                   [&](const Commit& commit) {
                       ballots_[sender].digest = commit.digest;
                       store_ballot(sender);
                   },
                   [&](const Reveal& reveal) {
                       ballots_[sender].revealed = true;
                       ballots_[sender].scores = reveal.scores;
                       store_ballot(sender);
                   },
               },
               transaction.body);
}

void State::void_all_of(const NodeId& verifier) {
    epoch_.equivocators.insert(verifier);
    // A leader can send a second report in its own turn only, before anybody votes on the first.
    if (epoch_.report && epoch_.report->leader == verifier && ballots_.empty() && !epoch_.recheck &&
        schedule_.phase(epoch_.number, time_) == Phase::challenge)
        epoch_.report.reset();
    if (epoch_.recheck && epoch_.recheck->verifier == verifier &&
        schedule_.phase(epoch_.number, time_) == Phase::recheck)
        epoch_.recheck.reset();
    ballots_.erase(verifier);
    leaves_.erase(leaf_key("ballot", verifier));
    VerifierRecord after = record(verifier);
    ++after.equivocations;
    set_record(verifier, after);
    store_epoch();
}

UnixTime State::next_due() const {
    if (schedule_.phase(epoch_.number, time_) == Phase::idle) return schedule_.begin(epoch_.number + 1);
    return schedule_.next_change(epoch_.number, time_);
}

Millionths State::reputation(const NodeId& node) const {
    const Standing* known = standings_.find(node);
    return known == nullptr ? parameters_.initial : known->reputation;
}

VerifierRecord State::record(const NodeId& verifier) const {
    auto found = records_.find(verifier);
    return found == records_.end() ? VerifierRecord{} : found->second;
}

void State::set_record(const NodeId& verifier, const VerifierRecord& record) {
    leaves_.put(leaf_key("verifier", verifier), encode_record(verifier, record));
    records_[verifier] = record;
}

void State::store_epoch() { leaves_.put(leaf_key("epoch"), encode_epoch(epoch_)); }

void State::store_ballot(const NodeId& verifier) {
    leaves_.put(leaf_key("ballot", verifier), encode_ballot(verifier, ballots_.at(verifier)));
}

Status State::restore(const Leaves& leaves, UnixTime time) {
    if (!leaves.contains(leaf_key("epoch")) || !leaves.contains(leaf_key("parameters")))
        return bad_state("no epoch or no parameters");
    State restored = *this;
    restored.ballots_.clear();
    restored.standings_ = {};
    restored.records_.clear();
    for (const auto& [key, value] : leaves)
        if (auto taken = restored.restore_leaf(key, value); !taken) return taken;
    restored.leaves_.reset(leaves);
    restored.time_ = time;
    *this = std::move(restored);
    return {};
}

Status State::restore_leaf(const Bytes& key, const Bytes& value) {
    auto restore_one = [&](std::string_view kind, auto parsed, auto put) -> Status {
        if (!parsed) return std::unexpected(parsed.error());
        if (leaf_key(kind, parsed->first) != key) return bad_state("a leaf under another's key");
        put(parsed->first, parsed->second);
        return {};
    };
    const std::string_view name = as_text(key);
    if (name == "verification/epoch") {
        auto epoch = parse_epoch(value);
        if (!epoch) return std::unexpected(epoch.error());
        epoch_ = *std::move(epoch);
        return {};
    }
    if (name == "verification/parameters")
        return value == encode(parameters_) ? Status{} : bad_state("other parameters than the genesis'");
    if (name.starts_with("verification/ballot/"))
        return restore_one("ballot", parse_ballot(value),
                           [&](const NodeId& id, const Ballot& ballot) { ballots_.emplace(id, ballot); });
    if (name.starts_with("verification/node/"))
        return restore_one("node", parse_standing(value),
                           [&](const NodeId& id, const Standing& standing) { standings_.set(id, standing); });
    if (name.starts_with("verification/verifier/"))
        return restore_one("verifier", parse_record(value),
                           [&](const NodeId& id, const VerifierRecord& record) { records_.emplace(id, record); });
    return bad_state("a leaf of an unknown kind");
}

}  // namespace planetserve::verification
