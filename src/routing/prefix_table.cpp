#include "routing/prefix_table.h"

#include <utility>

namespace planetserve::routing {

namespace {

// Whether there are more than 4.6 entries a bucket.
bool is_full(std::size_t entries, std::size_t buckets) { return entries * 5 > buckets * 23; }

}  // namespace

void PrefixTable::Bucket::set_value(unsigned slot, Value value) {
    value_low[slot] = static_cast<std::uint16_t>(value);
    value_high[slot] = static_cast<std::uint8_t>(value >> 16);
}

void PrefixTable::Bucket::set(unsigned slot, std::uint64_t spread, Value value) {
    low[slot] = static_cast<std::uint32_t>(spread);
    middle[slot] = static_cast<std::uint16_t>(spread >> 32);
    high[slot] = static_cast<std::uint8_t>(spread >> 48);
    set_value(slot, value);
    used = static_cast<std::uint16_t>(used | 1u << slot);
}

// REQUIRES: a bucket has a free slot.
void PrefixTable::Part::insert(std::uint64_t spread, Value value) {
    for (std::size_t bucket = home(spread);; bucket = after(bucket)) {
        Bucket& here = buckets[bucket];
        auto slot = static_cast<unsigned>(std::countr_one(here.used));
        if (slot < slots) return here.set(slot, spread, value);
        here.passed |= pass_bit(spread);
    }
}

// Computes the filter of a bucket from the entries in the buckets after it.
std::uint16_t PrefixTable::Part::passed_of(std::size_t bucket) const {
    std::uint16_t passed = 0;
    std::size_t before = bucket;
    for (std::size_t here = after(bucket); here != bucket && buckets[before].passed != 0; here = after(here)) {
        for (unsigned left = buckets[here].used; left != 0; left &= left - 1) {
            std::uint64_t spread = buckets[here].spread(static_cast<unsigned>(std::countr_zero(left)));
            if (distance(home(spread), here) >= distance(bucket, here)) passed |= pass_bit(spread);
        }
        before = here;
    }
    return passed;
}

// Gives the part an eighth more buckets than its entries need.
void PrefixTable::resize(Part& part) {
    const std::uint32_t needed = part.size * 5 / 23 + 1;
    Part grown{nullptr, needed + needed / 8, part.size};
    grown.buckets = std::make_unique<Bucket[]>(grown.count);
    for (const Bucket& bucket : std::span(part.buckets.get(), part.count))
        for (unsigned left = bucket.used; left != 0; left &= left - 1) {
            auto slot = static_cast<unsigned>(std::countr_zero(left));
            grown.insert(bucket.spread(slot), bucket.value(slot));
        }
    part = std::move(grown);
}

void PrefixTable::insert(PrefixKey key, Value value) {
    const std::uint64_t spread = key.value * secret_;
    Part& part = parts_[spread >> (64 - part_bits)];
    ++part.size;
    ++size_;
    if (is_full(part.size, part.count)) resize(part);
    part.insert(spread, value);
}

PrefixTable::Found PrefixTable::locate(PrefixKey key) {
    const std::uint64_t spread = key.value * secret_;
    Part& part = parts_[spread >> (64 - part_bits)];
    if (part.count == 0) return {&part, 0, slots};
    const std::size_t home = part.home(spread);
    for (std::size_t bucket = home;;) {
        unsigned slot = part.buckets[bucket].slot_of(spread);
        if (slot != slots || (part.buckets[bucket].passed & pass_bit(spread)) == 0) return {&part, bucket, slot};
        bucket = part.after(bucket);
        if (bucket == home) return {&part, home, slots};
    }
}

void PrefixTable::assign(PrefixKey key, Value value) {
    Found found = locate(key);
    found.part->buckets[found.bucket].set_value(found.slot, value);
}

void PrefixTable::erase(PrefixKey key) {
    auto [part, place, slot] = locate(key);
    if (slot == slots) return;
    Bucket& bucket = part->buckets[place];
    const std::size_t home = part->home(bucket.spread(slot));
    bucket.used = static_cast<std::uint16_t>(bucket.used & ~(1u << slot));
    for (std::size_t passed = home; passed != place; passed = part->after(passed))
        part->buckets[passed].passed = part->passed_of(passed);
    --part->size;
    --size_;
}

void PrefixTable::clear() {
    for (Part& part : parts_) part = {};
    size_ = 0;
}

std::size_t PrefixTable::memory() const {
    std::size_t bytes = sizeof *this;
    for (const Part& part : parts_) bytes += part.count * sizeof(Bucket);
    return bytes;
}

}  // namespace planetserve::routing
