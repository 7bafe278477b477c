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

void HrTree::compute_keys(std::span<const ChunkHash> hashes, PrefixKey root) {
    keys_.resize(hashes.size());
    PrefixKey key = root;
    for (std::size_t level = 0; level < hashes.size(); ++level) keys_[level] = key = key.child(hashes[level]);
}

std::size_t HrTree::insert(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root) {
    compute_keys(hashes, root);
    // Some places ahead of the one at work.
    constexpr std::size_t ahead = 12;
    for (std::size_t level = 0; level < std::min(ahead, keys_.size()); ++level) table_.prefetch(keys_[level]);
    for (std::size_t level = 0; level < keys_.size(); ++level) {
        if (level + ahead < keys_.size()) table_.prefetch(keys_[level + ahead]);
        if (!add(keys_[level], holder)) return level;
    }
    return keys_.size();
}

bool HrTree::remove(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root) {
    PrefixKey key = root;
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

std::uint32_t HrTree::match(std::span<const ChunkHash> hashes, std::vector<Match>& out, PrefixKey root) {
    out.clear();
    if (hashes.empty()) return 0;
    compute_keys(hashes, root);
    const std::size_t last = keys_.size() - 1;
    // Where the searches below look first.
    for (std::size_t level : {std::size_t{0}, last, last / 2, last / 4, last - last / 4}) table_.prefetch(keys_[level]);

    const HolderSets::Id top = set_at(0);
    if (top == none) return 0;
    std::size_t deepest = 0;
    HolderSets::Id set = top;
    for (std::size_t beyond = keys_.size(), middle = last; beyond - deepest > 1;
         middle = deepest + (beyond - deepest) / 2) {
        if (HolderSets::Id found = set_at(middle); found != none) {
            deepest = middle;
            set = found;
        } else {
            beyond = middle;
        }
    }

    ++searches_;
    for (std::size_t level = deepest;;) {
        auto list = [&](HolderIndex holder) {
            if (std::exchange(holders_[holder].seen, searches_) == searches_) return;
            out.push_back({holder, static_cast<std::uint32_t>(level + 1)});
        };
        if (set != none) sets_.for_each(set, list);
        if (set == top) break;
        // Up to the last level with another set. The top's is another one.
        std::size_t other = 0;
        HolderSets::Id other_set = top;
        for (std::size_t same = level; same - other > 1;) {
            std::size_t middle = other + (same - other) / 2;
            HolderSets::Id found = set_at(middle);
            if (found == set) {
                same = middle;
            } else {
                other = middle;
                other_set = found;
            }
        }
        level = other;
        set = other_set;
    }
    return static_cast<std::uint32_t>(deepest + 1);
}

HrTree::Content HrTree::content(HolderIndex holder) const {
    return holder < holders_.size() ? holders_[holder].content : Content{};
}

}  // namespace planetserve::routing
