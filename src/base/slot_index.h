// A hash index over items that its owner keeps in numbered slots: from a key's hash to the slot whose item has the key.
//
// It holds eight bytes an item and no keys: a look-up asks the owner whether a slot has the key, mostly once. So a
// table costs one access to the index and those to the item itself. An item may have several keys. Linear probing;
// removal closes the gap. The owner hashes with a secret (IdHash) where peers choose the keys. Not thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace planetserve {

class SlotIndex {
public:
    using Slot = std::uint32_t;

    // The slot under the hash for which matches(slot) holds; empty when there is none.
    template <typename Matches>
    std::optional<Slot> find(std::uint64_t hash, Matches&& matches) const {
        if (entries_.empty()) return std::nullopt;
        const std::uint32_t tag = tag_of(hash);
        for (std::size_t place = home(tag); entries_[place].slot != none; place = after(place))
            if (entries_[place].tag == tag && matches(entries_[place].slot)) return entries_[place].slot;
        return std::nullopt;
    }

    // Requires: no slot is in it under the same key, and slot is not the largest number of its type.
    void insert(std::uint64_t hash, Slot slot) {
        // At most three quarters are taken, so that the way to an empty place stays short.
        if ((size_ + 1) * 4 > entries_.size() * 3) grow();
        put({tag_of(hash), slot});
        ++size_;
    }

    // False when the slot was not in it under the hash.
    bool erase(std::uint64_t hash, Slot slot) {
        if (entries_.empty()) return false;
        std::size_t gap = home(tag_of(hash));
        while (entries_[gap].slot != slot || entries_[gap].tag != tag_of(hash)) {
            if (entries_[gap].slot == none) return false;
            gap = after(gap);
        }
        // What follows moves up, where that brings it no nearer than its home.
        for (std::size_t place = after(gap); entries_[place].slot != none; place = after(place)) {
            const std::size_t from_home = (place - home(entries_[place].tag)) & (entries_.size() - 1);
            const std::size_t from_gap = (place - gap) & (entries_.size() - 1);
            if (from_home >= from_gap) entries_[std::exchange(gap, place)] = entries_[place];
        }
        entries_[gap] = {};
        --size_;
        return true;
    }

    void clear() {
        entries_.clear();
        size_ = 0;
    }
    std::size_t size() const { return size_; }

private:
    static constexpr Slot none = ~Slot{};
    struct Entry {
        std::uint32_t tag = 0;
        Slot slot = none;
    };

    static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash); }
    // The size is a power of two.
    std::size_t home(std::uint32_t tag) const { return tag & (entries_.size() - 1); }
    std::size_t after(std::size_t place) const { return (place + 1) & (entries_.size() - 1); }

    void put(Entry entry) {
        std::size_t place = home(entry.tag);
        while (entries_[place].slot != none) place = after(place);
        entries_[place] = entry;
    }
    void grow() {
        std::vector<Entry> before(entries_.empty() ? 8 : entries_.size() * 2);
        before.swap(entries_);
        for (const Entry& entry : before)
            if (entry.slot != none) put(entry);
    }

    std::vector<Entry> entries_;
    std::size_t size_ = 0;
};

}  // namespace planetserve
