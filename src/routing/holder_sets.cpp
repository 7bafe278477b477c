#include "routing/holder_sets.h"

#include <algorithm>

namespace planetserve::routing {

std::size_t HolderSets::MembersHash::operator()(std::span<const HolderIndex> members) const {
    std::uint64_t hash = members.size();
    for (HolderIndex holder : members) {
        hash = (hash ^ holder) * 0x9fb21c651e98df25;
        hash ^= hash >> 32;
    }
    return hash;
}

bool HolderSets::MembersEqual::equal(std::span<const HolderIndex> a, std::span<const HolderIndex> b) {
    return std::ranges::equal(a, b);
}

bool HolderSets::contains(Id set, HolderIndex holder) const {
    return is_single(set) ? set == holder : std::ranges::binary_search(members(set), holder);
}

HolderSets::Id HolderSets::with(Id set, HolderIndex holder) {
    scratch_.clear();
    for_each(set, [&](HolderIndex member) { scratch_.push_back(member); });
    scratch_.insert(std::ranges::lower_bound(scratch_, holder), holder);
    Id changed = intern();
    release(set);
    return changed;
}

HolderSets::Id HolderSets::without(Id set, HolderIndex holder) {
    scratch_.clear();
    for_each(set, [&](HolderIndex member) {
        if (member != holder) scratch_.push_back(member);
    });
    Id changed = scratch_.size() == 1 ? single(scratch_.front()) : intern();
    release(set);
    return changed;
}

HolderSets::Id HolderSets::intern() {
    if (auto known = by_members_.find(std::span<const HolderIndex>(scratch_)); known != by_members_.end()) {
        ++sets_[*known - first_shared].uses;
        return *known;
    }
    Id set;
    if (free_.empty()) {
        set = first_shared + static_cast<Id>(sets_.size());
        sets_.push_back({scratch_, 1});
    } else {
        set = free_.back();
        free_.pop_back();
        sets_[set - first_shared] = {scratch_, 1};
    }
    by_members_.insert(set);
    return set;
}

void HolderSets::release(Id set) {
    if (is_single(set) || --sets_[set - first_shared].uses > 0) return;
    by_members_.erase(set);
    sets_[set - first_shared].members = {};
    free_.push_back(set);
}

void HolderSets::clear() {
    by_members_.clear();
    sets_.clear();
    free_.clear();
}

std::size_t HolderSets::memory() const {
    std::size_t bytes = sets_.capacity() * sizeof(Set) + free_.capacity() * sizeof(Id);
    for (const Set& set : sets_) bytes += set.members.capacity() * sizeof(HolderIndex);
    // A node and a bucket pointer of the standard library's table.
    return bytes + by_members_.size() * 32 + by_members_.bucket_count() * sizeof(void*);
}

}  // namespace planetserve::routing
