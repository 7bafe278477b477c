#include "routing/chunking.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::routing {
namespace {

const Bytes group_key(32, 0x17);

Bytes random_prompt(SeededRandom& random, std::size_t size) {
    Bytes prompt(size);
    random.fill(prompt);
    return prompt;
}

TEST(ChunkLengths, EndsFollowTheArrayThenTheTail) {
    ChunkLengths array{1, {100, 16, 300}, 64, 6};
    ASSERT_TRUE(array.validate());
    EXPECT_EQ(array.ends(), (std::vector<std::uint32_t>{100, 116, 416, 480, 544, 608}));
    ChunkHasher hasher(group_key, array, HashWidth::bits16);
    EXPECT_EQ(hasher.levels(99), 0u);
    EXPECT_EQ(hasher.levels(100), 1u);
    EXPECT_EQ(hasher.levels(415), 2u);
    EXPECT_EQ(hasher.levels(480), 4u);
    EXPECT_EQ(hasher.levels(1 << 20), 6u);
    EXPECT_EQ(hasher.covered(3), 416u);
    EXPECT_EQ(hasher.covered(0), 0u);
}

TEST(ChunkLengths, RefusesWhatIsOutOfBounds) {
    EXPECT_TRUE(ChunkLengths{}.validate());
    EXPECT_FALSE((ChunkLengths{1, {0}, 64, 8}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {2 << 20}, 64, 8}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {}, 8, 8}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {}, 1 << 17, 8}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {}, 64, 0}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {}, 64, 5000}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {1, 2, 3}, 64, 2}.validate()));
    EXPECT_FALSE((ChunkLengths{1, std::vector<std::uint32_t>(65, 1), 64, 4096}.validate()));
    EXPECT_FALSE((ChunkLengths{1, {}, 1 << 16, 4096}.validate()));
    EXPECT_THROW(ChunkHasher(group_key, {1, {}, 8, 8}, HashWidth::bits8), std::logic_error);
}

// The property that routing rests on: as a conversation grows, its hashes only grow at the end.
TEST(ChunkHasher, GrowingPromptsKeepTheirHashes) {
    SeededRandom random(1);
    ChunkHasher hasher(group_key, {1, {50, 16}, 64, 100}, HashWidth::bits32);
    Bytes prompt;
    std::vector<ChunkHash> before;
    for (int turn = 0; turn < 50; ++turn) {
        append(prompt, random_prompt(random, random.below(200)));
        auto hashes = hasher.hash(prompt);
        ASSERT_GE(hashes.size(), before.size());
        EXPECT_TRUE(std::ranges::equal(before, hashes.first(before.size())));
        EXPECT_EQ(hashes.size(), hasher.levels(prompt.size()));
        before.assign(hashes.begin(), hashes.end());
    }
}

TEST(ChunkHasher, DifferenceShowsFromItsChunkOn) {
    SeededRandom random(2);
    ChunkHasher hasher(group_key, {1, {}, 64, 100}, HashWidth::bits32);
    Bytes prompt = random_prompt(random, 1000);
    auto view = hasher.hash(prompt);
    std::vector<ChunkHash> one(view.begin(), view.end());
    prompt[130] ^= 1;
    auto other = hasher.hash(prompt);
    for (std::size_t level = 0; level < other.size(); ++level)
        EXPECT_EQ(one[level] == other[level], level < 2) << level;
}

TEST(ChunkHasher, WidthCutsTheSameHash) {
    SeededRandom random(3);
    Bytes prompt = random_prompt(random, 640);
    ChunkHasher wide(group_key, {}, HashWidth::bits32);
    ChunkHasher middle(group_key, {}, HashWidth::bits16);
    ChunkHasher narrow(group_key, {}, HashWidth::bits8);
    auto of_wide = wide.hash(prompt);
    auto of_middle = middle.hash(prompt);
    auto of_narrow = narrow.hash(prompt);
    for (std::size_t level = 0; level < of_wide.size(); ++level) {
        EXPECT_EQ(of_middle[level], of_wide[level] & 0xffff);
        EXPECT_EQ(of_narrow[level], of_wide[level] & 0xff);
    }
}

}  // namespace
}  // namespace planetserve::routing
