#include "routing/block_table.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "base/random.h"

namespace planetserve::routing {
namespace {

using Tokens = std::vector<std::uint32_t>;
using Keys = std::vector<PrefixKey>;

BlocksStored stored(std::vector<BlockHash> hashes, std::optional<BlockHash> parent, Tokens tokens,
                    std::uint32_t block_size = 2) {
    return {.hashes = std::move(hashes), .parent = parent, .tokens = std::move(tokens), .block_size = block_size};
}

class BlockTableTest : public ::testing::Test {
protected:
    BlockTableTest() { table.clear(true); }
    Keys apply(const CacheEvent& event) {
        Keys lost;
        table.apply(event, lost);
        return lost;
    }
    BlockTable table{7, {.blocks = 8, .levels = 8}};
};

TEST_F(BlockTableTest, FollowsAPromptFromItsBeginning) {
    apply(stored({{10}, {11}}, std::nullopt, {1, 2, 3, 4}));
    apply(stored({{12}}, BlockHash{11}, {5, 6}));
    EXPECT_EQ(table.held_tokens(Tokens{1, 2, 3, 4, 5, 6, 7}), 6u);
    EXPECT_EQ(table.held_tokens(Tokens{1, 2, 3, 4, 5}), 4u) << "a block that is not whole";
    EXPECT_EQ(table.held_tokens(Tokens{3, 4, 5, 6}), 0u) << "blocks of another prefix";
    apply(BlocksRemoved{{{11}}, Medium::gpu, 0});
    EXPECT_EQ(table.held_tokens(Tokens{1, 2, 3, 4, 5, 6}), 2u);
    EXPECT_EQ(table.blocks(), 2u) << "the block behind it stays in the engine";
    apply(stored({{11}}, BlockHash{10}, {3, 4}));
    EXPECT_EQ(table.held_tokens(Tokens{1, 2, 3, 4, 5, 6}), 6u);
    apply(CacheCleared{});
    EXPECT_EQ(table.held_tokens(Tokens{1, 2}), 0u);
    EXPECT_EQ(table.blocks(), 0u);
}

TEST_F(BlockTableTest, TellsTheLevelsThatAreLost) {
    const Tokens prompt{1, 2, 3, 4, 5, 6};
    apply(stored({{10}, {11}, {12}}, std::nullopt, prompt));
    table.bind(prompt, std::vector<BlockTable::Level>{{{100}, 1}, {{101}, 4}, {{102}, 5}, {{103}, 7}});
    EXPECT_EQ(table.levels(), 3u) << "the fourth needs more than is held";
    table.bind(prompt, std::vector<BlockTable::Level>{{{101}, 4}});
    EXPECT_EQ(table.levels(), 3u);
    EXPECT_EQ(apply(BlocksRemoved{{{12}}, Medium::gpu, 0}), (Keys{{102}}));
    EXPECT_EQ(apply(BlocksRemoved{{{12}}, Medium::gpu, 0}), Keys{});
    apply(stored({{12}}, BlockHash{11}, {5, 6}));
    table.bind(prompt, std::vector<BlockTable::Level>{{{102}, 5}});
    EXPECT_EQ(apply(BlocksRemoved{{{10}}, Medium::gpu, 0}), (Keys{{100}, {101}, {102}}));
    EXPECT_EQ(table.levels(), 0u);
    EXPECT_EQ(apply(BlocksRemoved{{{11}, {12}}, Medium::gpu, 0}), Keys{});
    EXPECT_EQ(table.blocks(), 0u);
}

TEST_F(BlockTableTest, ABlockIsHeldAsLongAsOneCopyIs) {
    apply(stored({{10}}, std::nullopt, {1, 2}));
    apply(stored({{10}}, std::nullopt, {1, 2}));
    auto elsewhere = stored({{10}, {99}}, std::nullopt, {});
    elsewhere.medium = Medium::cpu;
    apply(elsewhere);
    EXPECT_EQ(table.blocks(), 1u) << "what is not known cannot be placed without its tokens";
    for (int copy = 0; copy < 2; ++copy) apply(BlocksRemoved{{{10}}, Medium::gpu, 0});
    EXPECT_EQ(table.held_tokens(Tokens{1, 2}), 2u);
    apply(BlocksRemoved{{{10}}, Medium::cpu, 0});
    EXPECT_EQ(table.held_tokens(Tokens{1, 2}), 0u);
}

TEST_F(BlockTableTest, LeavesOutWhatIsNotOfTokensAlone) {
    auto salted = stored({{10}}, std::nullopt, {1, 2});
    salted.plain = false;
    apply(salted);
    EXPECT_EQ(table.held_tokens(Tokens{1, 2}), 0u);
    apply(stored({{11}}, BlockHash{10}, {3, 4}));
    EXPECT_EQ(table.counters().orphans, 1u);
    auto window = stored({{20}}, std::nullopt, {1, 2});
    window.group = 1;
    window.whole_prefix = false;
    apply(window);
    EXPECT_EQ(table.blocks(), 0u);
    apply(stored({{10}}, std::nullopt, {1, 2}));
    apply(BlocksRemoved{{{10}}, Medium::gpu, 1});
    EXPECT_EQ(table.blocks(), 1u) << "another group's block of that hash";
    apply(stored({{12}, {13}}, std::nullopt, {1, 2, 3}));
    EXPECT_EQ(table.blocks(), 1u) << "more tokens than blocks";
}

TEST_F(BlockTableTest, IsBounded) {
    Tokens tokens(20, 5);
    std::vector<BlockHash> hashes;
    for (std::uint64_t hash = 1; hash <= 10; ++hash) hashes.push_back({hash});
    apply(stored(hashes, std::nullopt, tokens));
    EXPECT_EQ(table.blocks(), 8u);
    EXPECT_EQ(table.held_tokens(tokens), 16u);
    EXPECT_GT(table.counters().overflow, 0u);
    std::vector<BlockTable::Level> levels;
    for (std::uint64_t key = 1; key <= 10; ++key) levels.push_back({{key}, static_cast<std::size_t>(key)});
    table.bind(tokens, levels);
    EXPECT_EQ(table.levels(), 8u);
}

// The naive twin keeps every block as the tokens of its whole prefix.
struct NaiveTable {
    std::map<std::uint64_t, std::pair<Tokens, int>> blocks;
    std::map<std::uint64_t, std::pair<Tokens, std::uint64_t>> levels;  // by key: the prefix it needs, in whole blocks

    bool holds(const Tokens& prefix) const {
        for (std::size_t end = 2; end <= prefix.size(); end += 2) {
            Tokens part(prefix.begin(), prefix.begin() + static_cast<std::ptrdiff_t>(end));
            bool found = false;
            for (const auto& [hash, block] : blocks) found |= block.second > 0 && block.first == part;
            if (!found) return false;
        }
        return true;
    }
    std::set<std::uint64_t> drop_lost() {
        std::set<std::uint64_t> lost;
        for (const auto& [key, level] : levels)
            if (!holds(level.first)) lost.insert(key);
        for (std::uint64_t key : lost) levels.erase(key);
        return lost;
    }
};

TEST(BlockTable, IsAsTheNaiveTwin) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SeededRandom random(seed);
        BlockTable table(random.next());
        table.clear(true);
        NaiveTable naive;
        // The engine's hash of a prefix.
        std::map<Tokens, std::uint64_t> names;
        auto name_of = [&](const Tokens& prefix) {
            return names.try_emplace(prefix, 1000 + names.size()).first->second;
        };
        for (int step = 0; step < 400; ++step) {
            Tokens prompt(2 * (1 + random.below(5)));
            for (auto& token : prompt) token = static_cast<std::uint32_t>(random.below(2));
            auto prefix = [&](std::size_t tokens) {
                return Tokens(prompt.begin(), prompt.begin() + static_cast<std::ptrdiff_t>(tokens));
            };
            Keys lost;
            if (random.below(2) == 0) {
                // As an engine would, store the missing blocks after the held ones.
                std::size_t held = 0;
                while (held < prompt.size() && naive.holds(prefix(held + 2))) held += 2;
                ASSERT_EQ(table.held_tokens(prompt), held);
                if (held == prompt.size()) held -= random.below(2) * 2;
                BlocksStored event;
                event.block_size = 2;
                if (held > 0) event.parent = BlockHash{name_of(prefix(held))};
                for (std::size_t end = held + 2; end <= prompt.size(); end += 2) {
                    event.hashes.push_back({name_of(prefix(end))});
                    event.tokens.insert(event.tokens.end(), prompt.begin() + static_cast<std::ptrdiff_t>(end - 2),
                                        prompt.begin() + static_cast<std::ptrdiff_t>(end));
                    auto& block = naive.blocks[name_of(prefix(end))];
                    block = {prefix(end), block.second + 1};
                }
                table.apply(event, lost);
                ASSERT_TRUE(lost.empty());
                std::size_t needs = 1 + random.below(prompt.size());
                const std::uint64_t key = name_of(prefix((needs + 1) / 2 * 2)) * 10 + needs % 2;
                table.bind(prompt, std::vector<BlockTable::Level>{{{key}, needs}});
                naive.levels[key] = {prefix((needs + 1) / 2 * 2), key};
            } else if (random.below(100) == 0) {
                table.apply(CacheCleared{}, lost);
                naive.blocks.clear();
            } else if (!names.empty()) {
                auto chosen = names.begin();
                std::advance(chosen, static_cast<std::ptrdiff_t>(random.below(names.size())));
                table.apply(BlocksRemoved{{{chosen->second}}, Medium::gpu, 0}, lost);
                auto block = naive.blocks.find(chosen->second);
                if (block != naive.blocks.end() && --block->second.second == 0) naive.blocks.erase(block);
            }
            std::set<std::uint64_t> told;
            for (PrefixKey key : lost) EXPECT_TRUE(told.insert(key.value).second);
            ASSERT_EQ(told, naive.drop_lost());
            ASSERT_EQ(table.blocks(), naive.blocks.size());
            ASSERT_EQ(table.levels(), naive.levels.size());
        }
    }
}

}  // namespace
}  // namespace planetserve::routing
