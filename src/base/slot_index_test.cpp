#include "base/slot_index.h"

#include <gtest/gtest.h>

#include <map>

#include "base/random.h"

namespace planetserve {
namespace {

// Keys in slots, beside a map that knows where each is. Few distinct hashes, so that most places are fought for.
TEST(SlotIndex, FindsWhatAMapFinds) {
    for (std::uint64_t hashes : {3u, 40u, 1'000'000u}) {
        SeededRandom random(hashes);
        SlotIndex index;
        std::map<std::uint64_t, SlotIndex::Slot> twin;
        std::vector<std::uint64_t> keys(300);  // by slot
        std::vector<SlotIndex::Slot> free;
        for (SlotIndex::Slot slot = 0; slot < keys.size(); ++slot) free.push_back(slot);
        auto hash = [&](std::uint64_t key) { return key % hashes * 0x9E3779B97F4A7C15ULL; };
        auto find = [&](std::uint64_t key) {
            return index.find(hash(key), [&](SlotIndex::Slot slot) { return keys[slot] == key; });
        };
        for (int step = 0; step < 20'000; ++step) {
            const std::uint64_t key = random.below(600);
            auto known = twin.find(key);
            ASSERT_EQ(find(key), known == twin.end() ? std::nullopt : std::optional(known->second));
            if (known != twin.end() && random.below(2) == 0) {
                ASSERT_TRUE(index.erase(hash(key), known->second));
                ASSERT_FALSE(index.erase(hash(key), known->second));
                free.push_back(known->second);
                twin.erase(known);
            } else if (known == twin.end() && !free.empty()) {
                keys[free.back()] = key;
                index.insert(hash(key), free.back());
                twin.emplace(key, free.back());
                free.pop_back();
            }
            ASSERT_EQ(index.size(), twin.size());
        }
        for (const auto& [key, slot] : twin) ASSERT_EQ(find(key), slot);
        index.clear();
        EXPECT_EQ(index.size(), 0u);
        EXPECT_EQ(find(twin.begin()->first), std::nullopt);
    }
}

TEST(SlotIndex, IsEmptyAtFirst) {
    SlotIndex index;
    EXPECT_EQ(index.find(1, [](SlotIndex::Slot) { return true; }), std::nullopt);
    EXPECT_FALSE(index.erase(1, 0));
}

}  // namespace
}  // namespace planetserve
