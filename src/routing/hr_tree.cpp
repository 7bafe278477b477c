#include "routing/hr_tree.h"

#include <algorithm>
#include <array>

namespace planetserve::routing {

HrTree::Holder& HrTree::holder_at(HolderIndex holder) {
    if (holder >= holders_.size()) holders_.resize(holder + std::size_t{1}, Holder{{}, limits_.holder_budget, 0});
    return holders_[holder];
}

void HrTree::set_budget(HolderIndex holder, std::size_t prefixes) { holder_at(holder).budget = prefixes; }

bool HrTree::add(PrefixKey key, HolderIndex holder) {
    Holder& owner = holder_at(holder);
    std::uint32_t* set = table_.find(key);
    if (set != nullptr && sets_.contains(*set, holder)) return true;
    if (owner.content.prefixes >= owner.budget) return false;
    if (set != nullptr) {
        *set = sets_.with(*set, holder);
    } else {
        if (table_.size() >= limits_.prefixes) return false;
        table_.insert(key, HolderSets::single(holder));
    }
    ++owner.content.prefixes;
    owner.content.key_sum += key.value;
    return true;
}

bool HrTree::remove(PrefixKey key, HolderIndex holder) {
    std::uint32_t* set = table_.find(key);
    if (set == nullptr || !sets_.contains(*set, holder)) return false;
    if (HolderSets::is_single(*set))
        table_.erase(key);
    else
        *set = sets_.without(*set, holder);
    Content& content = holder_at(holder).content;
    --content.prefixes;
    content.key_sum -= key.value;
    return true;
}

bool HrTree::holds(PrefixKey key, HolderIndex holder) const {
    const std::uint32_t* set = table_.find(key);
    return set != nullptr && sets_.contains(*set, holder);
}

std::size_t HrTree::insert(std::span<const ChunkHash> hashes, HolderIndex holder) {
    PrefixKey key;
    for (std::size_t level = 0; level < hashes.size(); ++level) {
        key = key.child(hashes[level]);
        if (!add(key, holder)) return level;
    }
    return hashes.size();
}

bool HrTree::remove(std::span<const ChunkHash> hashes, HolderIndex holder) {
    PrefixKey key;
    for (ChunkHash hash : hashes) key = key.child(hash);
    return remove(key, holder);
}

void HrTree::remove_holder(HolderIndex holder) {
    if (holder >= holders_.size()) return;
    if (holders_[holder].content.prefixes > 0)
        table_.filter([&](PrefixKey, std::uint32_t& set) {
            if (!sets_.contains(set, holder)) return true;
            if (HolderSets::is_single(set)) return false;
            set = sets_.without(set, holder);
            return true;
        });
    holders_[holder].content = {};
}

std::uint32_t HrTree::match(std::span<const ChunkHash> hashes, std::vector<Match>& out) {
    out.clear();
    path_.clear();
    // As many places as a processor fetches at a time or so; a short match should not fetch all of a long prompt's.
    constexpr std::size_t batch = 32;
    std::array<PrefixKey, batch> keys;
    PrefixKey key;
    bool matching = true;
    for (std::size_t begin = 0; begin < hashes.size() && matching; begin += batch) {
        std::size_t count = std::min(batch, hashes.size() - begin);
        for (std::size_t i = 0; i < count; ++i) {
            keys[i] = key = key.child(hashes[begin + i]);
            table_.prefetch(key);
        }
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint32_t* set = table_.find(keys[i]);
            if (set == nullptr) {
                matching = false;
                break;
            }
            path_.push_back(*set);
        }
    }

    // From the deepest level up, a set is a superset of the one below it; most are the same one.
    ++searches_;
    HolderSets::Id below = 0;
    for (std::size_t depth = path_.size(); depth > 0; --depth) {
        HolderSets::Id set = path_[depth - 1];
        if (depth < path_.size() && set == below) continue;
        below = set;
        sets_.for_each(set, [&](HolderIndex holder) {
            if (std::exchange(holders_[holder].seen, searches_) == searches_) return;
            out.push_back({holder, static_cast<std::uint32_t>(depth)});
        });
    }
    return static_cast<std::uint32_t>(path_.size());
}

HrTree::Content HrTree::content(HolderIndex holder) const {
    return holder < holders_.size() ? holders_[holder].content : Content{};
}

}  // namespace planetserve::routing
