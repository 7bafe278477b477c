#include "routing/sentry.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "routing/hr_tree.h"

namespace planetserve::routing {
namespace {

const Bytes group_key(32, 0x51);

// Users' prompts behind one of several system prompts, or behind none; conversations come back longer.
struct Traffic {
    explicit Traffic(std::uint64_t seed) : random(seed) {}

    Bytes noise(std::size_t size) {
        Bytes bytes(size);
        random.fill(bytes);
        return bytes;
    }
    void add_system_prompt(std::size_t size, std::size_t weight) { prompts.insert(prompts.end(), weight, noise(size)); }
    Bytes next() {
        if (!conversations.empty() && random.below(3) == 0) {
            Bytes& conversation = conversations[random.below(conversations.size())];
            append(conversation, noise(random.below(400)));
            return conversation;
        }
        Bytes prompt = prompts[random.below(prompts.size())];
        append(prompt, noise(50 + random.below(2000)));
        if (conversations.size() < 50)
            conversations.push_back(prompt);
        else
            conversations[random.below(50)] = prompt;
        return prompt;
    }
    void show(Sentry& sentry, int count) {
        for (int i = 0; i < count; ++i) sentry.observe(next());
    }

    SeededRandom random;
    std::vector<Bytes> prompts;
    std::vector<Bytes> conversations;
};

// Each expected length is found, at most the resolution short, and nothing else.
void expect_lengths(const std::vector<std::uint32_t>& found, const std::vector<std::uint32_t>& expected) {
    ASSERT_EQ(found.size(), expected.size()) << testing::PrintToString(found);
    for (std::size_t i = 0; i < found.size(); ++i) {
        EXPECT_LE(found[i], expected[i]);
        EXPECT_GT(found[i] + 8, expected[i]);
    }
}

TEST(Sentry, FindsTheLengthsOfSystemPrompts) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        Traffic traffic(seed);
        traffic.add_system_prompt(1234, 5);
        traffic.add_system_prompt(6007, 3);
        traffic.add_system_prompt(333, 3);
        Sentry sentry(group_key);
        traffic.show(sentry, 12 * 512);
        expect_lengths(sentry.common_lengths(), {333, 1234, 6007});
        EXPECT_LT(sentry.memory(), 200'000u);

        ChunkLengths current;
        auto array = sentry.propose(current);
        ASSERT_TRUE(array);
        EXPECT_EQ(array->version, 1u);
        auto found = sentry.common_lengths();
        EXPECT_EQ(array->lengths, (std::vector<std::uint32_t>{found[0], 32, found[1] - found[0] - 32, 32,
                                                              found[2] - found[1] - 32, 32}));
        EXPECT_FALSE(sentry.propose(*array)) << "what it proposed serves";
        traffic.show(sentry, 5 * 512);
        EXPECT_FALSE(sentry.propose(*array)) << "and still does";

        Bytes prompt = traffic.prompts[0];
        append(prompt, traffic.noise(100));
        EXPECT_EQ(sentry.common_length(prompt), found[1]);
        EXPECT_EQ(sentry.common_length(traffic.noise(5000)), 0u);
    }
}

TEST(Sentry, FindsNothingWhereNothingIsCommon) {
    Traffic traffic(3);
    traffic.add_system_prompt(0, 1);
    Sentry sentry(group_key);
    traffic.show(sentry, 6 * 512);
    EXPECT_TRUE(sentry.common_lengths().empty());
    EXPECT_FALSE(sentry.propose({}));
}

// One system prompt continues another: both ends count.
TEST(Sentry, FindsNestedParts) {
    Traffic traffic(4);
    traffic.add_system_prompt(900, 1);
    traffic.add_system_prompt(3000, 1);
    std::copy(traffic.prompts[0].begin(), traffic.prompts[0].end(), traffic.prompts[1].begin());
    Sentry sentry(group_key);
    traffic.show(sentry, 12 * 512);
    expect_lengths(sentry.common_lengths(), {900, 3000});
}

TEST(Sentry, FollowsChange) {
    Traffic traffic(5);
    traffic.add_system_prompt(700, 1);
    Sentry sentry(group_key);
    traffic.show(sentry, 12 * 512);
    expect_lengths(sentry.common_lengths(), {700});
    Traffic later(6);
    later.add_system_prompt(2222, 1);
    later.show(sentry, 20 * 512);
    expect_lengths(sentry.common_lengths(), {2222});
}

// The tree outlives a change of the array: what was held under the former one is found under its root until it is given
// up, and what is used again stands under the new one.
TEST(Sentry, ChangeOfArrayKeepsTheTree) {
    Traffic traffic(7);
    HrTree tree(1);
    ChunkHasher before(group_key, {1, {}, 256, 64}, HashWidth::bits32);
    ChunkHasher after(group_key, {2, {100, 32}, 256, 64}, HashWidth::bits32);
    Bytes prompt = traffic.noise(2000);
    std::vector<Match> matches;
    tree.insert(before.hash(prompt), 3, PrefixKey::root(1));
    EXPECT_EQ(tree.match(after.hash(prompt), matches, PrefixKey::root(2)), 0u);
    EXPECT_EQ(before.covered(tree.match(before.hash(prompt), matches, PrefixKey::root(1))), 1792u);
    tree.insert(after.hash(prompt), 3, PrefixKey::root(2));
    EXPECT_EQ(after.covered(tree.match(after.hash(prompt), matches, PrefixKey::root(2))), 1924u);
}

}  // namespace
}  // namespace planetserve::routing
