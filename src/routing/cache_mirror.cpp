#include "routing/cache_mirror.h"

#include <algorithm>
#include <utility>

#include "base/requires.h"

namespace planetserve::routing {

namespace {

// Removals are gathered from the leaf up; a run goes from the top down.
void turn_removals(CacheMirror::Changes& changes, std::size_t begin) {
    for (std::size_t i = begin; i < changes.size(); ++i)
        if (changes[i].kind == PathChange::Kind::remove) std::ranges::reverse(changes[i].hashes);
}

}  // namespace

CacheMirror::CacheMirror(std::uint64_t secret, std::uint64_t capacity_bytes, std::size_t capacity_entries)
    : capacity_bytes_(capacity_bytes),
      capacity_entries_(std::min<std::size_t>(capacity_entries, PrefixTable::largest_value)),
      table_(secret) {}

void CacheMirror::link_newest(Index index) {
    Entry& entry = entries_[index];
    entry.older = newest_;
    entry.newer = none;
    (newest_ == none ? oldest_ : entries_[newest_].newer) = index;
    newest_ = index;
}

void CacheMirror::unlink(Index index) {
    Entry& entry = entries_[index];
    (entry.older == none ? oldest_ : entries_[entry.older].newer) = entry.newer;
    (entry.newer == none ? newest_ : entries_[entry.newer].older) = entry.older;
}

CacheMirror::Index CacheMirror::create(PrefixKey key, Index parent, PrefixKey root, ChunkHash hash,
                                       std::uint32_t size) {
    Index index;
    if (free_.empty()) {
        index = static_cast<Index>(entries_.size());
        entries_.emplace_back();
    } else {
        index = free_.back();
        free_.pop_back();
    }
    entries_[index] = {.key = key.value, .root = root.value, .parent = parent, .hash = hash, .size = size};
    if (parent != none) {
        const Index second = std::exchange(entries_[parent].first_child, index);
        entries_[index].next_sibling = second;
        if (second != none) entries_[second].previous_sibling = index;
    }
    table_.insert(key, index);
    bytes_ += size;
    key_sum_ += key.value;
    return index;
}

void CacheMirror::remove_leaf(Index index, Changes& changes) {
    Entry& entry = entries_[index];
    const PrefixKey key{entry.key};
    const PrefixKey above = parent_key(entry);
    bool continues =
        !changes.empty() && changes.back().kind == PathChange::Kind::remove && changes.back().parent == key;
    if (continues)
        changes.back().parent = above;
    else
        changes.push_back({PathChange::Kind::remove, above, {}});
    changes.back().hashes.push_back(entry.hash);

    if (entry.previous_sibling != none)
        entries_[entry.previous_sibling].next_sibling = entry.next_sibling;
    else if (entry.parent != none)
        entries_[entry.parent].first_child = entry.next_sibling;
    if (entry.next_sibling != none) entries_[entry.next_sibling].previous_sibling = entry.previous_sibling;
    unlink(index);
    table_.erase(key);
    bytes_ -= entry.size;
    key_sum_ -= key.value;
    entry.key = 0;
    free_.push_back(index);
}

void CacheMirror::use(std::span<const ChunkHash> hashes, std::span<const std::uint32_t> sizes, Changes& changes,
                      PrefixKey root) {
    REQUIRES(sizes.size() == hashes.size());
    // The path leaves the list for now, so that its own levels are not evicted to make room.
    std::vector<Index> path;
    PrefixKey key = root;
    std::size_t level = 0;
    for (; level < hashes.size(); ++level) {
        PrefixKey next = key.child(hashes[level]);
        const Index held = table_.find(next);
        if (held == none) break;
        unlink(held);
        path.push_back(held);
        key = next;
    }

    // Separate from `changes`: remove_leaf must not extend a run of an earlier call, which is already reversed.
    Changes removals;
    PathChange insertion{PathChange::Kind::insert, key, {}};
    for (; level < hashes.size(); ++level) {
        while (!fits(1, sizes[level]) && oldest_ != none) remove_leaf(oldest_, removals);
        if (!fits(1, sizes[level])) break;
        key = key.child(hashes[level]);
        path.push_back(create(key, path.empty() ? none : path.back(), root, hashes[level], sizes[level]));
        insertion.hashes.push_back(hashes[level]);
    }
    // The root becomes the newest, so a leaf is always older than what it continues, and the oldest entry is a leaf.
    for (std::size_t i = path.size(); i > 0; --i) link_newest(path[i - 1]);

    turn_removals(removals, 0);
    std::ranges::move(removals, std::back_inserter(changes));
    if (!insertion.hashes.empty()) changes.push_back(std::move(insertion));
}

void CacheMirror::forget(std::span<const ChunkHash> hashes, std::size_t levels, Changes& changes, PrefixKey root) {
    if (levels >= hashes.size()) return;
    PrefixKey key = root;
    for (std::size_t level = 0; level <= levels; ++level) key = key.child(hashes[level]);
    forget(key, changes);
}

void CacheMirror::forget(PrefixKey key, Changes& changes) {
    const Index top = table_.find(key);
    if (top == none) return;
    Changes removals;
    for (Index index = top;;) {
        while (entries_[index].first_child != none) index = entries_[index].first_child;
        const Index above = entries_[index].parent;
        remove_leaf(index, removals);
        if (index == top) break;
        index = above;
    }
    turn_removals(removals, 0);
    std::ranges::move(removals, std::back_inserter(changes));
}

void CacheMirror::clear() {
    table_.clear();
    entries_.clear();
    free_.clear();
    oldest_ = newest_ = none;
    bytes_ = 0;
    key_sum_ = 0;
}

std::size_t CacheMirror::depth(std::span<const ChunkHash> hashes, PrefixKey root) const {
    PrefixKey key = root;
    for (std::size_t level = 0; level < hashes.size(); ++level) {
        key = key.child(hashes[level]);
        if (table_.find(key) == none) return level;
    }
    return hashes.size();
}

void CacheMirror::snapshot(const std::function<void(PathChange&&)>& emit) const {
    std::vector<bool> told(entries_.size(), false);
    for (Index leaf = oldest_; leaf != none; leaf = entries_[leaf].newer) {
        if (told[leaf]) continue;
        PathChange run{PathChange::Kind::insert, {}, {}};
        Index index = leaf;
        PrefixKey top;
        for (; index != none && !told[index]; index = entries_[index].parent) {
            told[index] = true;
            run.hashes.push_back(entries_[index].hash);
            top = {entries_[index].root};
        }
        run.parent = index != none ? key_of(index) : top;
        std::ranges::reverse(run.hashes);
        emit(std::move(run));
    }
}

}  // namespace planetserve::routing
