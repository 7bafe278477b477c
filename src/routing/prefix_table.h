// A map from PrefixKey to 24 bits: compact, and fast for searches of many keys at a time. Not thread-safe.
//
// The table has 256 parts, and each grows by itself, by an eighth at a time. Eight bits of a key choose the part. The
// other 56 bits stand with the value in a bucket of one cache line, which has room for six entries. A key whose bucket
// is full goes to the next one. A filter of 16 bits in each bucket says which keys may have gone past it, so nearly
// every search ends in its first bucket, whether it finds the key or not. Buckets have 4.1 to 4.6 entries on average,
// so an entry takes 13.9 to 15.7 bytes (from some thousands of entries on). An insertion moves at most one part.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>

#include "routing/prefix_key.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace planetserve::routing {

class PrefixTable {
public:
    using Value = std::uint32_t;
    static constexpr Value largest_value = (1 << 24) - 1;
    // Returned instead of a value if the key is absent.
    static constexpr Value absent = 0xffffffff;

    // The secret decides in which bucket a key belongs. Peers choose keys, and without it could aim them at one bucket.
    explicit PrefixTable(std::uint64_t secret) : secret_(secret | 1) {}

    Value find(PrefixKey key) const;
    // REQUIRES: the key is absent, and value <= largest_value.
    void insert(PrefixKey key, Value value);
    // Changes the value of a key. REQUIRES: the key is present, and value <= largest_value.
    void assign(PrefixKey key, Value value);
    // Does nothing if the key is absent.
    void erase(PrefixKey key);
    // Replaces each value by change(value), in no particular order, and removes the entry if that is `absent`. Then
    // frees unneeded memory.
    template <typename Change>
    void change_all(Change&& change);
    void clear();

    // The place where the search for a key begins. A caller prefetches several places first and then reads them, so
    // that their cache lines arrive in parallel. Valid until the table next changes.
    class Place;
    Place place_of(PrefixKey key) const;
    Value find(const Place& place) const;

    std::size_t size() const { return size_; }
    std::size_t memory() const;

private:
    static constexpr unsigned slots = 6;
    static constexpr unsigned part_bits = 8;

    // A slot has the low 56 bits of a spread key (the key times the secret), and a value. They are split over arrays,
    // so that alignment wastes nothing and one instruction compares several slots.
    struct alignas(64) Bucket {
        std::array<std::uint32_t, slots> low{};
        std::array<std::uint16_t, slots> middle{};
        std::array<std::uint16_t, slots> value_low{};
        std::array<std::uint8_t, slots> high{};
        std::array<std::uint8_t, slots> value_high{};
        std::uint16_t used = 0;    // one bit for each slot
        std::uint16_t passed = 0;  // pass_bit() of the keys that went past this bucket

        // The key's slot, or `slots` if it is in none.
        unsigned slot_of(std::uint64_t spread) const;
        Value value(unsigned slot) const { return value_low[slot] | Value{value_high[slot]} << 16; }
        void set_value(unsigned slot, Value value);
        void set(unsigned slot, std::uint64_t spread, Value value);
        // The spread key without the bits of the part.
        std::uint64_t spread(unsigned slot) const {
            return low[slot] | std::uint64_t{middle[slot]} << 32 | std::uint64_t{high[slot]} << 48;
        }
    };
    static_assert(sizeof(Bucket) == 64);
    struct Part {
        std::unique_ptr<Bucket[]> buckets;
        std::uint32_t count = 0;  // buckets
        std::uint32_t size = 0;   // entries

        std::size_t home(std::uint64_t spread) const { return (spread << part_bits >> 32) * count >> 32; }
        std::size_t after(std::size_t bucket) const { return bucket + 1 == count ? 0 : bucket + 1; }
        // How many buckets later, with wrap-around.
        std::size_t distance(std::size_t from, std::size_t to) const {
            return to >= from ? to - from : to + count - from;
        }
        void insert(std::uint64_t spread, Value value);
        std::uint16_t passed_of(std::size_t bucket) const;
    };
    static std::uint16_t pass_bit(std::uint64_t spread) { return static_cast<std::uint16_t>(1u << (spread & 15)); }
    // Where a key is; the slot is `slots` if it is absent.
    struct Found {
        Part* part;
        std::size_t bucket;
        unsigned slot;
    };
    Found locate(PrefixKey key);
    static void resize(Part& part);

    std::uint64_t secret_;
    std::size_t size_ = 0;
    std::array<Part, std::size_t{1} << part_bits> parts_;
};

class PrefixTable::Place {
public:
    Place() = default;
    void prefetch() const { __builtin_prefetch(bucket_); }

private:
    friend class PrefixTable;
    std::uint64_t spread_ = 0;
    const Bucket* bucket_ = nullptr;  // null: the part is empty
};

inline unsigned PrefixTable::Bucket::slot_of(std::uint64_t spread) const {
    const auto wanted = static_cast<std::uint32_t>(spread);
#if defined(__SSE2__)
    const __m128i four = _mm_set1_epi32(static_cast<int>(wanted));
    auto compare = [&](unsigned first) {
        const auto* from = reinterpret_cast<const __m128i_u*>(low.data() + first);
        return static_cast<unsigned>(_mm_movemask_ps(_mm_castsi128_ps(_mm_cmpeq_epi32(_mm_loadu_si128(from), four))));
    };
    unsigned equal = compare(0) | compare(2) << 2;
#else
    unsigned equal = 0;
    for (unsigned slot = 0; slot < slots; ++slot) equal |= static_cast<unsigned>(low[slot] == wanted) << slot;
#endif
    // At most one, except for keys that somebody chose on purpose.
    for (equal &= used; equal != 0; equal &= equal - 1) {
        auto slot = static_cast<unsigned>(std::countr_zero(equal));
        if ((middle[slot] | std::uint32_t{high[slot]} << 16) == (spread >> 32 & 0xffffff)) return slot;
    }
    return slots;
}

inline PrefixTable::Place PrefixTable::place_of(PrefixKey key) const {
    Place place;
    place.spread_ = key.value * secret_;
    const Part& part = parts_[place.spread_ >> (64 - part_bits)];
    if (part.count != 0) place.bucket_ = &part.buckets[part.home(place.spread_)];
    return place;
}

inline PrefixTable::Value PrefixTable::find(const Place& place) const {
    const Bucket* bucket = place.bucket_;
    if (bucket == nullptr) return absent;
    for (;;) {
        unsigned slot = bucket->slot_of(place.spread_);
        if (slot != slots) return bucket->value(slot);
        if ((bucket->passed & pass_bit(place.spread_)) == 0) return absent;
        const Part& part = parts_[place.spread_ >> (64 - part_bits)];
        if (++bucket == part.buckets.get() + part.count) bucket = part.buckets.get();
        if (bucket == place.bucket_) return absent;
    }
}

inline PrefixTable::Value PrefixTable::find(PrefixKey key) const { return find(place_of(key)); }

template <typename Change>
void PrefixTable::change_all(Change&& change) {
    for (Part& part : parts_) {
        std::uint32_t removed = 0;
        for (Bucket& bucket : std::span(part.buckets.get(), part.count))
            for (unsigned left = bucket.used; left != 0; left &= left - 1) {
                auto slot = static_cast<unsigned>(std::countr_zero(left));
                Value changed = change(bucket.value(slot));
                if (changed != absent) {
                    bucket.set_value(slot, changed);
                    continue;
                }
                bucket.used = static_cast<std::uint16_t>(bucket.used & ~(1u << slot));
                ++removed;
            }
        if (removed == 0) continue;
        part.size -= removed;
        size_ -= removed;
        resize(part);
    }
}

}  // namespace planetserve::routing
