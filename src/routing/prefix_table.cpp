#include "routing/prefix_table.h"

#include <utility>

namespace planetserve::routing {

namespace {

// Nine tenths full at most.
bool is_full(std::size_t entries, std::size_t buckets) { return entries * 10 >= buckets * 5 * 9; }

}  // namespace

void PrefixTable::place(Part& part, std::size_t bucket, PrefixKey key, std::uint32_t value) {
    for (;;) {
        Bucket& here = part.buckets[bucket];
        for (std::size_t slot = 0; slot < slots; ++slot) {
            if (here.keys[slot] != 0) continue;
            here.keys[slot] = key.value;
            here.values[slot] = value;
            return;
        }
        ++here.passed;
        if (++bucket == part.buckets.size()) bucket = 0;
    }
}

// To an eighth more room than the entries need at the most.
void PrefixTable::resize(Part& part) {
    std::size_t needed = part.size * 10 / (slots * 9) + 1;
    std::vector<Bucket> before = std::exchange(part.buckets, std::vector<Bucket>(needed + needed / 8 + 1));
    for (const Bucket& bucket : before)
        for (std::size_t slot = 0; slot < slots; ++slot)
            if (bucket.keys[slot] != 0)
                place(part, home({bucket.keys[slot]}).bucket, {bucket.keys[slot]}, bucket.values[slot]);
}

void PrefixTable::insert(PrefixKey key, std::uint32_t value) {
    Part& part = *home(key).part;
    if (is_full(part.size + 1, part.buckets.size())) resize(part);
    place(part, home(key).bucket, key, value);
    ++part.size;
    ++size_;
}

void PrefixTable::erase(PrefixKey key) {
    auto [part, first] = home(key);
    std::size_t bucket = first;
    for (std::size_t tried = 0; tried < part->buckets.size(); ++tried) {
        Bucket& here = part->buckets[bucket];
        for (std::size_t slot = 0; slot < slots; ++slot) {
            if (here.keys[slot] != key.value) continue;
            here.keys[slot] = 0;
            for (bucket = first; tried > 0; --tried) {
                --part->buckets[bucket].passed;
                if (++bucket == part->buckets.size()) bucket = 0;
            }
            --part->size;
            --size_;
            return;
        }
        if (here.passed == 0) return;
        if (++bucket == part->buckets.size()) bucket = 0;
    }
}

void PrefixTable::clear() {
    for (Part& part : parts_) part = {};
    size_ = 0;
}

std::size_t PrefixTable::memory() const {
    std::size_t bytes = sizeof *this;
    for (const Part& part : parts_) bytes += part.buckets.capacity() * sizeof(Bucket);
    return bytes;
}

}  // namespace planetserve::routing
