#include "routing/hr_tree.h"

#include <algorithm>
#include <array>

#include "base/requires.h"

namespace planetserve::routing {

HrTree::Holder& HrTree::holder_at(HolderIndex holder) {
    if (holder >= holders_.size()) holders_.resize(holder + std::size_t{1}, Holder{{}, limits_.holder_budget, 0});
    return holders_[holder];
}

void HrTree::set_budget(HolderIndex holder, std::size_t prefixes) { holder_at(holder).budget = prefixes; }

bool HrTree::add(PrefixKey key, HolderIndex holder) {
    Holder& owner = holder_at(holder);
    const HolderSets::Id set = table_.find(key);
    if (set != none && sets_.contains(set, holder)) return true;
    if (owner.content.prefixes >= owner.budget) return false;
    if (set != none) {
        table_.assign(key, sets_.with(set, holder));
    } else {
        if (table_.size() >= limits_.prefixes) return false;
        table_.insert(key, HolderSets::single(holder));
    }
    ++owner.content.prefixes;
    owner.content.key_sum += key.value;
    return true;
}

bool HrTree::remove(PrefixKey key, HolderIndex holder) {
    const HolderSets::Id set = table_.find(key);
    if (set == none || !sets_.contains(set, holder)) return false;
    if (HolderSets::is_single(set))
        table_.erase(key);
    else
        table_.assign(key, sets_.without(set, holder));
    Content& content = holder_at(holder).content;
    --content.prefixes;
    content.key_sum -= key.value;
    return true;
}

bool HrTree::holds(PrefixKey key, HolderIndex holder) const {
    const HolderSets::Id set = table_.find(key);
    return set != none && sets_.contains(set, holder);
}

void HrTree::compute_keys(std::span<const ChunkHash> hashes, PrefixKey root) {
    keys_.resize(hashes.size());
    PrefixKey key = root;
    for (std::size_t level = 0; level < hashes.size(); ++level) keys_[level] = key = key.child(hashes[level]);
}

std::size_t HrTree::insert(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root) {
    compute_keys(hashes, root);
    // How many levels ahead to prefetch.
    constexpr std::size_t ahead = 12;
    for (std::size_t level = 0; level < std::min(ahead, keys_.size()); ++level)
        table_.place_of(keys_[level]).prefetch();
    for (std::size_t level = 0; level < keys_.size(); ++level) {
        if (level + ahead < keys_.size()) table_.place_of(keys_[level + ahead]).prefetch();
        if (!add(keys_[level], holder)) return level;
    }
    return keys_.size();
}

bool HrTree::remove(std::span<const ChunkHash> hashes, HolderIndex holder, PrefixKey root) {
    REQUIRES(!hashes.empty());
    PrefixKey key = root;
    for (ChunkHash hash : hashes) key = key.child(hash);
    return remove(key, holder);
}

void HrTree::remove_holder(HolderIndex holder) {
    if (holder >= holders_.size()) return;
    if (holders_[holder].content.prefixes > 0)
        table_.change_all([&](HolderSets::Id set) {
            if (!sets_.contains(set, holder)) return set;
            return HolderSets::is_single(set) ? none : sets_.without(set, holder);
        });
    holders_[holder].content = {};
}

template <typename IsBefore>
HrTree::Level HrTree::last_level(Level first, std::size_t end, IsBefore&& is_before) const {
    // Several levels at a time, evenly spaced: a wait for four cache lines is little longer than a wait for one.
    constexpr std::size_t most = 4;
    while (end - first.index > 1) {
        const std::size_t begin = first.index;
        const std::size_t size = end - begin;
        const std::size_t count = std::min(most, size - 1);
        auto level_of = [&](std::size_t i) { return begin + size * i / (count + 1); };
        std::array<PrefixTable::Place, most + 1> places;
        for (std::size_t i = 1; i <= count; ++i) {
            places[i] = table_.place_of(keys_[level_of(i)]);
            places[i].prefetch();
        }
        for (std::size_t before = 0, after = count + 1; after - before > 1;) {
            const std::size_t middle = (before + after) / 2;
            const HolderSets::Id set = table_.find(places[middle]);
            if (is_before(set)) {
                first = {level_of(middle), set};
                before = middle;
            } else {
                end = level_of(middle);
                after = middle;
            }
        }
    }
    return first;
}

std::uint32_t HrTree::match(std::span<const ChunkHash> hashes, std::vector<Match>& out, PrefixKey root) {
    out.clear();
    if (hashes.empty()) return 0;
    compute_keys(hashes, root);
    const std::size_t last = keys_.size() - 1;
    const PrefixTable::Place top_place = table_.place_of(keys_[0]);
    const PrefixTable::Place last_place = table_.place_of(keys_[last]);
    top_place.prefetch();
    last_place.prefetch();

    const Level top{0, table_.find(top_place)};
    if (top.set == none) return 0;
    Level deepest{last, table_.find(last_place)};
    if (deepest.set == none) deepest = last_level(top, last, [](HolderSets::Id set) { return set != none; });

    ++searches_;
    for (Level level = deepest;;) {
        auto list = [&](HolderIndex holder) {
            if (std::exchange(holders_[holder].seen, searches_) == searches_) return;
            out.push_back({holder, static_cast<std::uint32_t>(level.index + 1)});
        };
        if (level.set != none) sets_.for_each(level.set, list);
        if (level.set == top.set) break;
        level = last_level(top, level.index, [&](HolderSets::Id set) { return set != level.set; });
    }
    return static_cast<std::uint32_t>(deepest.index + 1);
}

HrTree::Content HrTree::content(HolderIndex holder) const {
    return holder < holders_.size() ? holders_[holder].content : Content{};
}

}  // namespace planetserve::routing
