// Decides where prompts go, and follows what this node's engine does with them.

#include <algorithm>
#include <cmath>

#include "routing/member.h"

namespace planetserve::routing {

namespace {

// A node that has computed nothing yet does not know its rate. It gets the mean rate of the others.
void assume_rates(std::vector<Candidate>& candidates) {
    double sum = 0;
    std::size_t known = 0;
    for (const Candidate& candidate : candidates) {
        sum += candidate.load.prefill_tokens_per_second;
        known += candidate.load.prefill_tokens_per_second > 0 ? 1 : 0;
    }
    if (known == 0) return;
    for (Candidate& candidate : candidates)
        if (candidate.load.prefill_tokens_per_second == 0)
            candidate.load.prefill_tokens_per_second =
                static_cast<std::uint32_t>(std::llround(sum / static_cast<double>(known)));
}

// A claim costs nothing. So a node is not believed to be more than this many times faster or larger than the middle of
// the group's claims; otherwise a liar could draw all requests.
constexpr std::uint32_t believed_factor = 4;

// The middle claim. Of two in the middle, the more modest one.
enum class Modest : std::uint8_t { lower, upper };
std::optional<std::uint32_t> middle(std::span<const Candidate> candidates, std::uint32_t LoadReport::* claim,
                                    Modest modest) {
    std::vector<std::uint32_t> claims;
    for (const Candidate& candidate : candidates)
        if (candidate.trust == Trust::trusted && candidate.load.*claim > 0) claims.push_back(candidate.load.*claim);
    if (claims.empty()) return std::nullopt;
    std::ranges::sort(claims);
    return claims[modest == Modest::lower ? (claims.size() - 1) / 2 : claims.size() / 2];
}

void believe(std::vector<Candidate>& candidates) {
    const auto capacity = middle(candidates, &LoadReport::capacity, Modest::lower);
    const auto rate = middle(candidates, &LoadReport::prefill_tokens_per_second, Modest::lower);
    const auto latency = middle(candidates, &LoadReport::latency_us, Modest::upper);
    auto most = [](std::uint32_t claim, std::uint32_t middle_claim) {
        return static_cast<std::uint32_t>(
            std::min<std::uint64_t>(claim, std::uint64_t{middle_claim} * believed_factor));
    };
    for (Candidate& candidate : candidates) {
        LoadReport& load = candidate.load;
        if (capacity) load.capacity = most(load.capacity, *capacity);
        if (rate) load.prefill_tokens_per_second = most(load.prefill_tokens_per_second, *rate);
        // An idle node may have served nothing yet, and then has no latency to report.
        if (latency && load.queued > 0) load.latency_us = std::max(load.latency_us, *latency / believed_factor);
    }
}

}  // namespace

bool Member::usable(const Known& known, Time now) const {
    if (!known.reachable || now < known.listed_at + options_.listed_for) return false;
    auto heard = replica_->heard_at(known.index);
    // It may have sent parts of a snapshot and nothing that tells its load.
    if (!replica_->load(known.index)) return false;
    return heard && now < *heard + options_.sync_period * options_.silent_periods;
}

void Member::held_bytes(ByteView prompt, std::map<HolderIndex, std::pair<std::uint32_t, std::size_t>>& held) {
    auto look_up = [&](ChunkHasher& hasher) {
        tree_.match(hasher.hash(prompt), matches_, PrefixKey::root(hasher.lengths().version));
        for (const Match& match : matches_) {
            auto& [depth, bytes] = held[match.holder];
            if (hasher.covered(match.depth) <= bytes) continue;
            depth = match.depth;
            bytes = hasher.covered(match.depth);
        }
    };
    look_up(*hasher_);
    for (const auto& former : former_hashers_) look_up(*former);
}

Placement Member::place(ByteView prompt, const std::set<NodeId>& excluded, Time now, const std::set<NodeId>& shunned) {
    Placement placement{self_, Reason::no_hit, 0, 0, tokens_of(prompt.size())};
    std::map<HolderIndex, std::pair<std::uint32_t, std::size_t>> held;
    held_bytes(prompt, held);
    std::vector<Candidate> candidates;
    std::vector<NodeId> nodes;
    auto add = [&](const NodeId& id, HolderIndex index, Trust trust, const LoadReport& load,
                   const InFlight* in_flight) {
        Candidate candidate{.node = index, .trust = trust, .load = load};
        if (in_flight != nullptr) {
            candidate.in_flight_requests = in_flight->requests();
            candidate.in_flight_tokens = in_flight->tokens();
        }
        if (auto found = held.find(index); found != held.end()) {
            candidate.depth = found->second.first;
            candidate.cached_tokens = tokens_of(found->second.second);
        }
        placement.best_cached_tokens = std::max(placement.best_cached_tokens, candidate.cached_tokens);
        candidates.push_back(candidate);
        nodes.push_back(id);
    };
    if (!excluded.contains(self_)) add(self_, self_index, own_trust_, own_load_, nullptr);
    for (const auto& [id, known] : peers_)
        if (!excluded.contains(id) && !shunned.contains(id) && usable(known, now))
            add(id, known.index, known.trust, *replica_->load(known.index), &known.in_flight);

    assume_rates(candidates);
    believe(candidates);
    Request request{placement.prompt_tokens, 0};
    const std::size_t common = excluded.empty() ? sentry_->observe(prompt) : sentry_->common_length(prompt);
    while (request.common_depth < hasher_->levels(prompt.size()) &&
           hasher_->covered(request.common_depth + 1) <= common)
        ++request.common_depth;
    // No candidate is trusted, so the request stays here.
    auto decision = decide(candidates, request, options_.decision, random_);
    if (!decision) return placement;
    placement.node = nodes[decision->chosen];
    placement.reason = decision->reason;
    placement.cached_tokens = candidates[decision->chosen].cached_tokens;
    return placement;
}

void Member::on_forwarded(const Placement& placement, Time now) {
    auto found = peers_.find(placement.node);
    if (found == peers_.end()) return;
    std::uint64_t uncached = placement.prompt_tokens - std::min(placement.prompt_tokens, placement.cached_tokens);
    found->second.in_flight.on_forward(now, static_cast<std::uint32_t>(std::min<std::uint64_t>(uncached, 0xffffffff)));
}

std::vector<std::uint32_t> Member::sizes_of(const ChunkHasher& hasher, std::size_t levels) const {
    std::vector<std::uint32_t> sizes(levels);
    for (std::size_t level = 0; level < levels; ++level)
        sizes[level] = static_cast<std::uint32_t>(hasher.covered(level + 1) - hasher.covered(level));
    return sizes;
}

void Member::apply_own(CacheMirror::Changes&& changes) {
    apply_changes(tree_, self_index, changes);
    publisher_->record(std::move(changes));
}

void Member::use(ByteView prompt) {
    auto hashes = hasher_->hash(prompt);
    CacheMirror::Changes changes;
    mirror_.use(hashes, sizes_of(*hasher_, hashes.size()), changes, PrefixKey::root(hasher_->lengths().version));
    apply_own(std::move(changes));
}

std::uint64_t Member::cached_tokens(const NodeId& node, ByteView prompt) {
    HolderIndex index = self_index;
    if (node != self_) {
        auto found = peers_.find(node);
        if (found == peers_.end()) return 0;
        index = found->second.index;
    }
    std::map<HolderIndex, std::pair<std::uint32_t, std::size_t>> held;
    held_bytes(prompt, held);
    auto found = held.find(index);
    return found == held.end() ? 0 : tokens_of(found->second.second);
}

std::size_t Member::ready_bytes(ByteView prompt) {
    std::size_t ready = 0;
    auto look_up = [&](ChunkHasher& hasher) {
        auto hashes = hasher.hash(prompt);
        PrefixKey key = PrefixKey::root(hasher.lengths().version);
        tree_.match(hashes, matches_, key);
        auto own = std::ranges::find(matches_, self_index, &Match::holder);
        if (own == matches_.end()) return;
        std::size_t depth = 0;
        while (depth < own->depth && !computing_.contains((key = key.child(hashes[depth])).value)) ++depth;
        ready = std::max(ready, hasher.covered(depth));
    };
    look_up(*hasher_);
    for (const auto& former : former_hashers_) look_up(*former);
    return ready;
}

Member::Started Member::on_started(ByteView prompt) {
    const std::size_t ready = ready_bytes(prompt);
    if (options_.count_computing) {
        std::vector<std::uint64_t>& keys = computing_by_[++started_];
        auto hashes = hasher_->hash(prompt);
        PrefixKey key = PrefixKey::root(hasher_->lengths().version);
        for (std::size_t level = 0; level < hashes.size(); ++level) {
            key = key.child(hashes[level]);
            if (hasher_->covered(level + 1) > ready && computing_.insert(key.value).second) keys.push_back(key.value);
        }
    }
    use(prompt);
    return {started_, tokens_of(ready)};
}

void Member::on_computed(std::uint64_t number) {
    auto found = computing_by_.find(number);
    if (found == computing_by_.end()) return;
    for (std::uint64_t key : found->second) computing_.erase(key);
    computing_by_.erase(found);
}

void Member::on_finished(ByteView prompt, ByteView prompt_and_answer, const std::optional<Report>& report) {
    if (report && report->prompt_tokens > 0 && !prompt.empty()) {
        // Templates add some tokens to each message, so a short prompt says little about the ratio.
        double measured = static_cast<double>(prompt.size()) / static_cast<double>(report->prompt_tokens);
        if (report->prompt_tokens >= 64)
            bytes_per_token_ = bytes_per_token_ * 7 / 8 + std::clamp(measured, 1.0, 16.0) / 8;
        // If the guess was wrong by more than a chunk, the engine also evicted what continued that prefix.
        std::size_t cached_bytes = static_cast<std::size_t>(measured * static_cast<double>(report->cached_tokens));
        std::size_t expected_bytes = static_cast<std::size_t>(measured * static_cast<double>(report->expected_tokens));
        auto hashes = hasher_->hash(prompt);
        std::size_t levels = hasher_->levels(std::min(cached_bytes, prompt.size()));
        if (cached_bytes + agreement_.current().tail + 64 < expected_bytes && levels < hashes.size()) {
            ++counters_.corrections;
            CacheMirror::Changes changes;
            mirror_.forget(hashes, levels, changes, PrefixKey::root(hasher_->lengths().version));
            apply_own(std::move(changes));
        }
    }
    use(prompt_and_answer);
}

void Member::on_engine_restart() {
    forget_cache();
    // The engine starts with an empty cache.
    blocks_.clear(true);
}

void Member::forget_cache() {
    computing_.clear();
    computing_by_.clear();
    settling_.clear();
    mirror_.clear();
    tree_.remove_holder(self_index);
    publisher_->restart_log();
}

}  // namespace planetserve::routing
