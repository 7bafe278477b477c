// Corrects the mirror by the events of the engine's cache.

#include <algorithm>

#include "routing/member.h"

namespace planetserve::routing {

namespace {

// A block of vLLM's usual size.
constexpr std::size_t few_tokens = 16;
// How many tokens after the last level are kept, because a block may extend beyond it.
constexpr std::size_t spare_tokens = 4096;

// For each end, in bytes, how many of the first tokens stand for that many bytes. The canonical serialisation and the
// text of the engine's template differ, so this takes places in one as proportional to places in the other.
std::vector<std::uint32_t> tokens_for(std::span<const std::size_t> ends, std::size_t bytes, std::size_t tokens,
                                      std::span<const std::uint32_t> weights) {
    auto weight_of = [&](std::size_t token) -> std::uint64_t { return weights.empty() ? 1 : weights[token]; };
    std::uint64_t all = 0;
    for (std::size_t token = 0; token < tokens; ++token) all += weight_of(token);
    std::vector<std::uint32_t> needs;
    needs.reserve(ends.size());
    std::uint64_t weight = 0;
    std::size_t taken = 0;
    for (std::size_t end : ends) {
        const double wanted = static_cast<double>(all) * static_cast<double>(end) / static_cast<double>(bytes);
        while (taken < tokens && static_cast<double>(weight) < wanted) weight += weight_of(taken++);
        needs.push_back(static_cast<std::uint32_t>(taken));
    }
    return needs;
}

}  // namespace

void Member::on_prompt_tokens(ByteView prompt, std::span<const std::uint32_t> tokens,
                              std::span<const std::uint32_t> weights, Time now) {
    if (!options_.follow_cache || tokens.empty() || (!weights.empty() && weights.size() != tokens.size())) return;
    auto hashes = hasher_->hash(prompt);
    if (hashes.empty()) return;
    if (settling_.size() >= options_.settling) settle_oldest();
    Settling one{.due = now + options_.settle_after,
                 .root = PrefixKey::root(hasher_->lengths().version),
                 .hashes = {hashes.begin(), hashes.end()},
                 .sizes = sizes_of(*hasher_, hashes.size()),
                 .needs = {},
                 .tokens = {}};
    std::vector<std::size_t> ends(hashes.size());
    for (std::size_t level = 0; level < ends.size(); ++level) ends[level] = hasher_->covered(level + 1);
    one.needs = tokens_for(ends, prompt.size(), tokens.size(), weights);
    // A prompt with more chunks than an array has levels has tokens that no level needs.
    tokens = tokens.first(std::min<std::size_t>(tokens.size(), one.needs.back() + spare_tokens));
    one.tokens.assign(tokens.begin(), tokens.end());
    settling_.push_back(std::move(one));
}

void Member::settle_oldest() {
    const Settling one = std::move(settling_.front());
    settling_.pop_front();
    ++counters_.settled;
    const std::size_t size = blocks_.block_size();
    const std::size_t held = blocks_.held_tokens(one.tokens);
    counters_.unmatched += held == 0 ? 1 : 0;
    // The engine may hold the blocks from before the events began, so the mirror's guess stands.
    if (held == 0 && !blocks_.complete()) return;
    // Engines keep whole blocks. The few tokens after the last one begin a block that the answer fills.
    const std::size_t whole = size == 0 ? 0 : one.tokens.size() / size * size;
    std::vector<BlockTable::Level> levels;
    PrefixKey key = one.root;
    for (std::size_t level = 0; level < one.hashes.size(); ++level) {
        std::size_t needs = one.needs[level];
        if (needs > whole && needs - whole < few_tokens) needs = whole;
        key = key.child(one.hashes[level]);
        if (held == 0 || needs > held) break;
        levels.push_back({key, needs});
    }
    blocks_.bind(one.tokens, levels);
    CacheMirror::Changes changes;
    // The engine's events are right, even if they and the mirror have restarted since.
    if (mirror_.depth(one.hashes, one.root) < levels.size())
        mirror_.use(std::span(one.hashes).first(levels.size()), std::span(one.sizes).first(levels.size()), changes,
                    one.root);
    else if (levels.size() < one.hashes.size())
        mirror_.forget(one.hashes, levels.size(), changes, one.root);
    if (changes.empty()) return;
    ++counters_.corrections;
    apply_own(std::move(changes));
}

void Member::on_cache_event(const CacheEvent& event) {
    if (!options_.follow_cache) return;
    std::vector<PrefixKey> lost;
    blocks_.apply(event, lost);
    if (std::holds_alternative<CacheCleared>(event)) return forget_cache();
    take_out(lost);
    // The engine holds at least this much, whatever the configuration says.
    const double tokens = static_cast<double>(blocks_.blocks() * blocks_.block_size());
    mirror_.grow(static_cast<std::uint64_t>(tokens * bytes_per_token_));
}

void Member::take_out(std::span<const PrefixKey> lost) {
    CacheMirror::Changes changes;
    const std::size_t before = mirror_.entries();
    for (PrefixKey key : lost) mirror_.forget(key, changes);
    counters_.withdrawn += before - mirror_.entries();
    if (!changes.empty()) apply_own(std::move(changes));
}

void Member::on_cache_unknown(bool complete) {
    if (!options_.follow_cache) return;
    // Keep recent prompts to compare them with the new events: often these begin with them.
    auto settling = std::move(settling_);
    forget_cache();
    settling_ = std::move(settling);
    blocks_.clear(complete);
}

}  // namespace planetserve::routing
