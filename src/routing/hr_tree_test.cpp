#include "routing/hr_tree.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "routing/naive_tree.h"

namespace planetserve::routing {
namespace {

using Hashes = std::vector<ChunkHash>;

std::map<HolderIndex, std::uint32_t> match(HrTree& tree, const Hashes& hashes) {
    std::vector<Match> matches;
    tree.match(hashes, matches);
    return as_map(matches);
}

TEST(HrTree, TellsEachHoldersDepth) {
    HrTree tree(1);
    tree.insert(Hashes{1, 2, 3, 4}, 0);
    tree.insert(Hashes{1, 2, 9}, 1);
    tree.insert(Hashes{1, 2, 3}, 2);
    tree.insert(Hashes{7}, 3);
    std::vector<Match> matches;
    EXPECT_EQ(tree.match(Hashes{1, 2, 3, 4, 5}, matches), 4u);
    EXPECT_EQ(matches, (std::vector<Match>{{0, 4}, {2, 3}, {1, 2}}));
    EXPECT_EQ(tree.match(Hashes{8}, matches), 0u);
    EXPECT_TRUE(matches.empty());
    EXPECT_EQ(tree.match(Hashes{}, matches), 0u);
    EXPECT_EQ(tree.prefixes(), 6u);
}

TEST(HrTree, SameHashElsewhereIsAnotherPrefix) {
    HrTree tree(1);
    tree.insert(Hashes{5, 5, 5}, 0);
    EXPECT_EQ(tree.prefixes(), 3u);
    EXPECT_EQ(match(tree, {5, 6, 5}), (std::map<HolderIndex, std::uint32_t>{{0, 1}}));
}

TEST(HrTree, RemovesExactly) {
    HrTree tree(1);
    tree.insert(Hashes{1, 2, 3}, 0);
    tree.insert(Hashes{1, 2, 3}, 1);
    EXPECT_TRUE(tree.remove(Hashes{1, 2, 3}, 0));
    EXPECT_FALSE(tree.remove(Hashes{1, 2, 3}, 0));
    EXPECT_FALSE(tree.remove(Hashes{1, 2, 4}, 0));
    EXPECT_EQ(match(tree, {1, 2, 3}), (std::map<HolderIndex, std::uint32_t>{{0, 2}, {1, 3}}));
    tree.remove_holder(1);
    EXPECT_EQ(match(tree, {1, 2, 3}), (std::map<HolderIndex, std::uint32_t>{{0, 2}}));
    EXPECT_EQ(tree.content(1), HrTree::Content{});
    tree.remove_holder(0);
    EXPECT_EQ(tree.prefixes(), 0u);
    EXPECT_EQ(tree.content(0), HrTree::Content{});
}

TEST(HrTree, BudgetsBound) {
    HrTree tree(1, {.prefixes = 5, .holder_budget = 4});
    EXPECT_EQ(tree.insert(Hashes{1, 2, 3, 4, 5}, 0), 4u);
    EXPECT_EQ(tree.insert(Hashes{1, 2}, 0), 2u) << "what is held needs no room";
    EXPECT_EQ(tree.insert(Hashes{9, 8}, 1), 1u) << "the tree is full";
    EXPECT_EQ(tree.insert(Hashes{1, 2, 3}, 1), 3u) << "no new prefix";
    tree.set_budget(2, 1);
    EXPECT_EQ(tree.insert(Hashes{1, 2}, 2), 1u);
    EXPECT_TRUE(tree.remove(Hashes{1, 2, 3, 4}, 0));
    EXPECT_EQ(tree.insert(Hashes{7}, 0), 1u);
}

// A prompt so long that the search needs more than one batch.
TEST(HrTree, LongPrompts) {
    HrTree tree(1);
    Hashes prompt;
    for (ChunkHash i = 0; i < 1000; ++i) prompt.push_back(i * 7);
    tree.insert(prompt, 3);
    tree.insert(std::span(prompt).first(64), 4);
    EXPECT_EQ(match(tree, prompt), (std::map<HolderIndex, std::uint32_t>{{3, 1000}, {4, 64}}));
}

TEST(HrTree, MemoryAnEntry) {
    SeededRandom random(5);
    HrTree tree(random.next());
    while (tree.prefixes() < 200'000) {
        Hashes prompt;
        for (int i = 0; i < 24; ++i) prompt.push_back(static_cast<ChunkHash>(random.next()));
        tree.insert(prompt, static_cast<HolderIndex>(random.below(8)));
    }
    double bytes = static_cast<double>(tree.memory()) / static_cast<double>(tree.prefixes());
    EXPECT_LE(bytes, 16.2) << "16, and the fixed part";
    EXPECT_GE(bytes, 13.3) << "fuller than a table can be";
    EXPECT_LT(tree.holder_list_memory(), 4096u);
}

// Random insertions and removals, compared with the naive twin. Prompts have few different chunks, so they share
// prefixes.
class WithTwin : public testing::TestWithParam<std::uint64_t> {};

TEST_P(WithTwin, AgreesWithExactPrompts) {
    SeededRandom random(GetParam());
    ChunkHash mask = GetParam() % 2 == 0 ? 0xffffffff : 0xff;
    // The hashes of four chunks, of 32 or 8 bits. The twin takes the same hashes as chunks.
    Hashes alphabet;
    for (int i = 0; i < 4; ++i) alphabet.push_back(static_cast<ChunkHash>(random.next()) & mask);
    HrTree tree(random.next());
    NaiveTree<ChunkHash> twin;
    auto prompt = [&] {
        Hashes hashes;
        for (std::uint64_t left = 1 + random.below(6); left > 0; --left) hashes.push_back(alphabet[random.below(4)]);
        return hashes;
    };
    for (int step = 0; step < 1500; ++step) {
        auto holder = static_cast<HolderIndex>(random.below(5));
        std::uint64_t what = random.below(100);
        if (what < 50) {
            Hashes path = prompt();
            EXPECT_EQ(tree.insert(path, holder), path.size());
            twin.insert(path, holder);
        } else if (what < 98) {
            auto leaves = twin.leaves(holder);
            if (leaves.empty()) continue;
            const Hashes& leaf = leaves[random.below(leaves.size())];
            EXPECT_TRUE(tree.remove(leaf, holder));
            twin.remove(leaf, holder);
        } else {
            tree.remove_holder(holder);
            twin.remove_holder(holder);
        }
        Hashes asked = prompt();
        ASSERT_EQ(match(tree, asked), twin.match(asked));
        ASSERT_EQ(tree.content(holder).prefixes, twin.prefixes(holder));
    }
    EXPECT_EQ(tree.prefixes(), twin.prefixes());
    for (HolderIndex holder = 0; holder < 5; ++holder) tree.remove_holder(holder);
    EXPECT_EQ(tree.prefixes(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Seeds, WithTwin, testing::Range<std::uint64_t>(0, 12));

// Holders 3 and 4 lie: they claim a level without the levels before it. The tree still answers rightly for all others.
TEST(HrTree, LiarsDamageOnlyWhatIsSaidOfThem) {
    SeededRandom random(11);
    for (int round = 0; round < 300; ++round) {
        HrTree tree(random.next());
        NaiveTree<ChunkHash> twin;
        Hashes prompt;
        for (int i = 0; i < 20; ++i) prompt.push_back(static_cast<ChunkHash>(random.next()));
        for (HolderIndex honest = 0; honest < 3; ++honest) {
            Hashes held(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(random.below(15)));
            tree.insert(held, honest);
            twin.insert(held, honest);
        }
        PrefixKey key;
        for (ChunkHash hash : prompt) {
            key = key.child(hash);
            for (HolderIndex liar : {HolderIndex{3}, HolderIndex{4}})
                if (random.below(2) == 0) tree.add(key, liar);
        }
        auto found = match(tree, prompt);
        found.erase(3);
        found.erase(4);
        ASSERT_EQ(found, twin.match(prompt));
    }
}

// Level 1 has 100 prefixes of 8 bits, so 100 of 256 foreign prompts match there by chance, and one in 256 of those at
// level 2 too.
TEST(HrTree, FalseMatchesAreAsRareAsTheWidthSays) {
    SeededRandom random(9);
    HrTree tree(random.next());
    std::set<ChunkHash> tops;
    while (tops.size() < 100) {
        Hashes path{static_cast<ChunkHash>(random.below(256)), static_cast<ChunkHash>(random.below(256))};
        if (tops.insert(path[0]).second) tree.insert(path, 0);
    }
    constexpr int asked = 20'000;
    std::array<int, 3> depths{};
    std::vector<Match> matches;
    for (int i = 0; i < asked; ++i) {
        Hashes path{static_cast<ChunkHash>(random.below(256)), static_cast<ChunkHash>(random.below(256))};
        ++depths[tree.match(path, matches)];
    }
    double first = asked * 100.0 / 256;
    EXPECT_NEAR(depths[1] + depths[2], first, 6 * std::sqrt(first));
    EXPECT_NEAR(depths[2], first / 256, 6 * std::sqrt(first / 256));
}

}  // namespace
}  // namespace planetserve::routing
