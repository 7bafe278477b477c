#include "verification/state.h"

#include <stdexcept>

#include "verification/leaf_keys.h"

namespace planetserve::verification {

State::State(Chain chain, const std::vector<Verifier>& verifiers, const Parameters& parameters)
    : chain_(std::move(chain)),
      verifiers_(verifiers),
      parameters_(parameters),
      schedule_(chain_.genesis, parameters),
      time_(chain_.genesis) {
    if (auto checked = verification::check(parameters); !checked) throw std::invalid_argument(checked.error().message);
    epoch_.seed = first_seed(chain_.network);
    put(leaf_key("parameters"), encode(parameters_));
    put(leaf_key("epoch"), encode_epoch(epoch_));
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
    if (changed) put(leaf_key("epoch"), encode_epoch(epoch_));
}

void State::begin_epoch(std::uint64_t number) {
    for (const auto& [verifier, ballot] : ballots_) erase(leaf_key("ballot", verifier));
    ballots_.clear();
    Seed seed = next_seed(epoch_.number, epoch_.seed, epoch_.draws);
    epoch_ = Epoch{};
    epoch_.number = number;
    epoch_.seed = seed;
    forget_old();
}

void State::settle_votes() {
    epoch_.settled = true;
    if (!epoch_.report) return;
    Settlement settlement = settle(epoch_, ballots_, verifiers_, parameters_);
    for (const auto& [node, credit] : settlement.credits) {
        auto found = standings_.find(node);
        const Standing& before = found == standings_.end() ? initial_standing(parameters_) : found->second;
        set_standing(node, after_score(before, credit, epoch_.number, parameters_));
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

void State::forget_old() {
    while (!by_last_epoch_.empty() && by_last_epoch_.begin()->first + parameters_.forget_epochs < epoch_.number) {
        NodeId node = by_last_epoch_.begin()->second;
        by_last_epoch_.erase(by_last_epoch_.begin());
        standings_.erase(node);
        erase(leaf_key("node", node));
    }
}

Changes State::commit() {
    Changes changes;
    for (const Bytes& key : changed_) {
        auto found = leaves_.find(key);
        changes.emplace(key, found == leaves_.end() ? std::nullopt : std::optional(found->second));
    }
    changed_.clear();
    return changes;
}

UnixTime State::next_due() const {
    if (schedule_.phase(epoch_.number, time_) == Phase::idle) return schedule_.begin(epoch_.number + 1);
    return schedule_.next_change(epoch_.number, time_);
}

Millionths State::reputation(const NodeId& node) const {
    auto found = standings_.find(node);
    return found == standings_.end() ? parameters_.initial : found->second.reputation;
}

VerifierRecord State::record(const NodeId& verifier) const {
    auto found = records_.find(verifier);
    return found == records_.end() ? VerifierRecord{} : found->second;
}

Bytes State::alpha(Purpose purpose) const {
    return verification::alpha(chain_.id, epoch_.number, epoch_.seed, purpose);
}

Bytes State::draw_alpha(UnixTime time) const {
    std::uint64_t number = schedule_.epoch(std::max(time, time_));
    if (number == epoch_.number) return alpha(Purpose::draw);
    return verification::alpha(chain_.id, number, next_seed(epoch_.number, epoch_.seed, epoch_.draws), Purpose::draw);
}

void State::set_standing(const NodeId& node, const Standing& standing) {
    if (auto found = standings_.find(node); found != standings_.end())
        by_last_epoch_.erase({found->second.last_epoch, node});
    by_last_epoch_.emplace(standing.last_epoch, node);
    put(leaf_key("node", node), encode_standing(node, standing));
    standings_[node] = standing;
}

void State::set_record(const NodeId& verifier, const VerifierRecord& record) {
    put(leaf_key("verifier", verifier), encode_record(verifier, record));
    records_[verifier] = record;
}

void State::put(Bytes key, Bytes value) {
    Bytes& leaf = leaves_[key];
    if (leaf == value) return;
    leaf = std::move(value);
    changed_.insert(std::move(key));
}

void State::erase(Bytes key) {
    if (leaves_.erase(key) == 1) changed_.insert(std::move(key));
}

Status State::restore(const Leaves& leaves, UnixTime time) {
    auto wrong = [](std::string_view what) {
        return fail(ErrorCode::malformed, "a stored state of verification with " + std::string(what));
    };
    State restored = *this;
    restored.ballots_.clear();
    restored.standings_.clear();
    restored.by_last_epoch_.clear();
    restored.records_.clear();
    auto take = [&](const Bytes& key, std::string_view kind, auto parsed, auto put_in) -> Status {
        if (!parsed) return std::unexpected(parsed.error());
        if (leaf_key(kind, parsed->first) != key) return wrong("a leaf under another's key");
        put_in(parsed->first, parsed->second);
        return {};
    };
    bool has_epoch = false, has_parameters = false;
    for (const auto& [key, value] : leaves) {
        Status taken;
        std::string_view name = as_text(key);
        if (name == "verification/epoch") {
            auto epoch = parse_epoch(value);
            if (!epoch) return std::unexpected(epoch.error());
            restored.epoch_ = *std::move(epoch);
            has_epoch = true;
        } else if (name == "verification/parameters") {
            if (value != encode(parameters_)) return wrong("other parameters than the genesis'");
            has_parameters = true;
        } else if (name.starts_with("verification/ballot/")) {
            taken = take(key, "ballot", parse_ballot(value),
                         [&](const NodeId& id, const Ballot& ballot) { restored.ballots_.emplace(id, ballot); });
        } else if (name.starts_with("verification/node/")) {
            taken = take(key, "node", parse_standing(value), [&](const NodeId& id, const Standing& standing) {
                restored.standings_.emplace(id, standing);
                restored.by_last_epoch_.emplace(standing.last_epoch, id);
            });
        } else if (name.starts_with("verification/verifier/")) {
            taken = take(key, "verifier", parse_record(value), [&](const NodeId& id, const VerifierRecord& record) {
                restored.records_.emplace(id, record);
            });
        } else {
            return wrong("a leaf of an unknown kind");
        }
        if (!taken) return taken;
    }
    if (!has_epoch || !has_parameters) return wrong("no epoch or no parameters");
    restored.leaves_ = leaves;
    restored.changed_.clear();
    restored.time_ = time;
    *this = std::move(restored);
    return {};
}

}  // namespace planetserve::verification
