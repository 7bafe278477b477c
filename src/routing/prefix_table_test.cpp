#include "routing/prefix_table.h"

#include <gtest/gtest.h>

#include <unordered_map>

#include "base/random.h"

namespace planetserve::routing {
namespace {

constexpr std::uint64_t secret = 0x2545f4914f6cdd1d;

// A key that goes to the first part: the product of the inverse of the secret with a number below 2^56.
PrefixKey in_one_part(std::uint64_t within) {
    std::uint64_t inverse = secret;
    for (int i = 0; i < 6; ++i) inverse *= 2 - secret * inverse;
    return {(within & ((std::uint64_t{1} << 56) - 1)) * inverse};
}

// Insertions, removals and changes of values, compared with std::unordered_map. There are few keys, so that each comes
// again. Many of them share a bucket, so that buckets overflow and their filters change all the time.
class PrefixTableTwin : public testing::TestWithParam<std::uint64_t> {};

TEST_P(PrefixTableTwin, Agrees) {
    SeededRandom random(GetParam());
    PrefixTable table(secret);
    std::unordered_map<std::uint64_t, PrefixTable::Value> twin;
    const bool crowded = GetParam() % 2 == 0;
    std::vector<PrefixKey> keys{PrefixKey{0}};
    while (keys.size() < 400) {
        // Few different low halves, and home buckets from a small range.
        std::uint64_t within = random.below(12) << 53 | random.below(4) << 40 | random.below(8);
        keys.push_back(crowded ? in_one_part(within) : PrefixKey{random.next()});
    }
    for (int step = 0; step < 20'000; ++step) {
        PrefixKey key = keys[random.below(keys.size())];
        auto value = static_cast<PrefixTable::Value>(random.below(PrefixTable::largest_value + 1));
        auto held = twin.find(key.value);
        if (random.below(2) == 0) {
            table.erase(key);
            twin.erase(key.value);
        } else if (held == twin.end()) {
            table.insert(key, value);
            twin.emplace(key.value, value);
        } else {
            table.assign(key, value);
            held->second = value;
        }
        if (step % 1000 == 999) {
            auto change = [](PrefixTable::Value from) { return from % 3 == 0 ? PrefixTable::absent : from / 2; };
            table.change_all(change);
            for (auto& [held_key, of_twin] : twin) of_twin = change(of_twin);
            std::erase_if(twin, [](const auto& entry) { return entry.second == PrefixTable::absent; });
        }
        ASSERT_EQ(table.size(), twin.size());
        PrefixKey asked = keys[random.below(keys.size())];
        auto expected = twin.find(asked.value);
        ASSERT_EQ(table.find(asked), expected == twin.end() ? PrefixTable::absent : expected->second);
    }
    for (PrefixKey key : keys) ASSERT_EQ(table.find(key) == PrefixTable::absent, !twin.contains(key.value));
    table.clear();
    EXPECT_EQ(table.size(), 0u);
    for (PrefixKey key : keys) ASSERT_EQ(table.find(key), PrefixTable::absent);
}

INSTANTIATE_TEST_SUITE_P(Seeds, PrefixTableTwin, testing::Range<std::uint64_t>(0, 8));

// Every filter in a part may have the bit of an absent key. The search for it must end all the same.
TEST(PrefixTable, SearchesEnd) {
    SeededRandom random(3);
    PrefixTable table(secret);
    std::vector<PrefixKey> held;
    for (int step = 0; step < 20'000; ++step) {
        if (held.size() < 9) {
            PrefixKey key = in_one_part(random.next() & ~std::uint64_t{15});
            table.insert(key, 1);
            held.push_back(key);
        } else {
            std::swap(held[random.below(held.size())], held.back());
            table.erase(held.back());
            held.pop_back();
        }
        ASSERT_EQ(table.find(in_one_part(random.next() & ~std::uint64_t{15})), PrefixTable::absent);
    }
    EXPECT_EQ(table.size(), held.size());
}

}  // namespace
}  // namespace planetserve::routing
