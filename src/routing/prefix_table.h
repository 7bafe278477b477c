// A map from PrefixKey to 32 bits, compact and quick to search for many keys at a time.
//
// Buckets of one cache line hold five keys and their values; a key that finds its bucket full goes to the next one, and
// the bucket counts how many went past it, so that a search knows when to stop and removal leaves no marks behind. The
// table is cut into 64 parts that grow by an eighth at a time and by themselves: a bucket is at least four fifths full
// on average, 14.2 to 16 bytes an entry from some thousand entries on, and no insertion moves more than a 64th of the
// table.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "routing/prefix_key.h"

namespace planetserve::routing {

class PrefixTable {
public:
    // The secret decides which bucket a key goes to: peers choose keys and could aim them at one bucket.
    explicit PrefixTable(std::uint64_t secret) : secret_(secret | 1) {}

    // Null where absent. A pointer is valid until the next insertion or removal.
    std::uint32_t* find(PrefixKey key);
    const std::uint32_t* find(PrefixKey key) const { return const_cast<PrefixTable*>(this)->find(key); }
    // Asks the processor for the key's cache line, for a search that follows soon.
    void prefetch(PrefixKey key) const {
        Place place = home(key);
        if (place.part->buckets.empty()) return;
        __builtin_prefetch(&place.part->buckets[place.bucket]);
    }
    // REQUIRES: absent.
    void insert(PrefixKey key, std::uint32_t value);
    // Nothing happens where absent.
    void erase(PrefixKey key);
    // Calls keep(key, value&) for each entry, in no order, and removes those for which it says false; then gives back
    // memory that is no longer needed.
    template <typename Keep>
    void filter(Keep&& keep);
    void clear();

    std::size_t size() const { return size_; }
    std::size_t memory() const;

private:
    static constexpr std::size_t slots = 5;
    struct alignas(64) Bucket {
        std::array<std::uint64_t, slots> keys{};
        std::array<std::uint32_t, slots> values{};
        std::uint32_t passed = 0;  // entries that would be here if there had been room
    };
    static_assert(sizeof(Bucket) == 64);
    struct Part {
        std::vector<Bucket> buckets;
        std::size_t size = 0;
    };
    static constexpr unsigned part_bits = 6;
    struct Place {
        Part* part;
        std::size_t bucket;
    };

    Place home(PrefixKey key) const {
        std::uint64_t spread = key.value * secret_;
        Part& part = const_cast<Part&>(parts_[spread >> (64 - part_bits)]);
        std::uint64_t within = spread << part_bits >> 32;
        return {&part, within * part.buckets.size() >> 32};
    }
    void place(Part& part, std::size_t bucket, PrefixKey key, std::uint32_t value);
    void resize(Part& part);

    std::uint64_t secret_;
    std::size_t size_ = 0;
    std::array<Part, std::size_t{1} << part_bits> parts_;
};

inline std::uint32_t* PrefixTable::find(PrefixKey key) {
    auto [part, bucket] = home(key);
    for (std::size_t tried = 0; tried < part->buckets.size(); ++tried) {
        Bucket& here = part->buckets[bucket];
        // All compared, then one jump: which slot it is cannot be predicted.
        unsigned equal = 0;
        for (unsigned slot = 0; slot < slots; ++slot)
            equal |= static_cast<unsigned>(here.keys[slot] == key.value) << slot;
        if (equal != 0) return &here.values[static_cast<unsigned>(std::countr_zero(equal))];
        if (here.passed == 0) return nullptr;
        if (++bucket == part->buckets.size()) bucket = 0;
    }
    return nullptr;
}

template <typename Keep>
void PrefixTable::filter(Keep&& keep) {
    for (Part& part : parts_) {
        std::size_t removed = 0;
        for (Bucket& bucket : part.buckets)
            for (std::size_t slot = 0; slot < slots; ++slot) {
                if (bucket.keys[slot] == 0 || keep(PrefixKey{bucket.keys[slot]}, bucket.values[slot])) continue;
                bucket.keys[slot] = 0;
                ++removed;
            }
        if (removed == 0) continue;
        part.size -= removed;
        size_ -= removed;
        resize(part);
    }
}

}  // namespace planetserve::routing
