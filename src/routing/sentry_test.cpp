#include "routing/sentry.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"
#include "routing/hr_tree.h"

namespace planetserve::routing {
namespace {

const Bytes sentry_key(32, 0x51);

// Users' prompts after one of several system prompts, which may be empty. Conversations come back longer.
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

// Expects each length, too short by less than the resolution, and nothing else.
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
        Sentry sentry(sentry_key);
        traffic.show(sentry, 150);
        expect_lengths(sentry.common_lengths(), {333, 1234, 6007});
        traffic.show(sentry, 3000);
        expect_lengths(sentry.common_lengths(), {333, 1234, 6007});
        EXPECT_LT(sentry.memory(), 250'000u);

        Bytes prompt = traffic.prompts[0];
        append(prompt, traffic.noise(100));
        EXPECT_EQ(sentry.common_length(prompt), sentry.common_lengths()[1]);
        EXPECT_EQ(sentry.observe(prompt), sentry.common_lengths()[1]);
        EXPECT_EQ(sentry.common_length(traffic.noise(5000)), 0u);
        EXPECT_EQ(sentry.common_length(traffic.noise(5)), 0u);
    }
}

// A dozen tools, the rarest of which has 2.4% of the prompts.
TEST(Sentry, FindsRareOnesToo) {
    for (std::uint64_t seed = 0; seed < 5; ++seed) {
        Traffic traffic(seed);
        std::vector<std::uint32_t> sizes;
        for (std::size_t i = 1; i <= 12; ++i) {
            sizes.push_back(static_cast<std::uint32_t>(2000 + 2203 * i));
            traffic.add_system_prompt(sizes.back(), static_cast<std::size_t>(1000 / std::pow(i, 1.1)));
        }
        Sentry sentry(sentry_key);
        traffic.show(sentry, 1000);
        expect_lengths(sentry.common_lengths(), sizes);
    }
}

// Nothing here is a system prompt: prompts that share nothing, conversations that grow, one prompt again and again,
// conversations that branch.
TEST(Sentry, FindsNothingWhereNothingIsCommon) {
    for (std::uint64_t seed = 0; seed < 30; ++seed) {
        Traffic traffic(seed);
        SeededRandom& random = traffic.random;
        traffic.add_system_prompt(seed % 2 == 0 ? 0 : 40, 1);
        Sentry sentry(sentry_key);
        const Bytes repeated = traffic.noise(5000);
        Bytes agent = traffic.noise(800);
        for (int i = 0; i < 2000; ++i) {
            sentry.observe(traffic.next());
            if (random.below(4) == 0) sentry.observe(repeated);
            if (random.below(4) == 0) {
                // An agent's conversation grows, and at times a branch of it continues for several steps.
                append(agent, traffic.noise(100));
                Bytes branch = agent;
                for (std::size_t step = random.below(4); step > 0; --step) {
                    append(branch, traffic.noise(60));
                    sentry.observe(branch);
                }
                sentry.observe(agent);
                if (agent.size() > 8000) agent = traffic.noise(800);
            }
            if (i % 50 == 0) {
                ASSERT_TRUE(sentry.common_lengths().empty()) << seed << ", " << i;
            }
        }
    }
}

// One system prompt continues another. Both ends count, far apart or near.
TEST(Sentry, FindsNestedParts) {
    for (std::uint32_t longer : {3000u, 980u}) {
        Traffic traffic(4);
        traffic.add_system_prompt(900, 1);
        traffic.add_system_prompt(longer, 1);
        std::copy(traffic.prompts[0].begin(), traffic.prompts[0].end(), traffic.prompts[1].begin());
        Sentry sentry(sentry_key);
        traffic.show(sentry, 300);
        expect_lengths(sentry.common_lengths(), {900, longer});
    }
}

// Real prompts are not noise: many begin alike.
TEST(Sentry, FindsTheEndBeforeLikeBeginnings) {
    Traffic traffic(9);
    const Bytes system = traffic.noise(1501);
    const std::vector<std::string> beginnings{"What is the ", "What are ", "How do I ", "Please ", "Why does it "};
    Sentry sentry(sentry_key);
    for (int i = 0; i < 400; ++i) {
        Bytes prompt = system;
        append(prompt, as_bytes(beginnings[traffic.random.below(beginnings.size())]));
        append(prompt, traffic.noise(200 + traffic.random.below(300)));
        sentry.observe(prompt);
    }
    expect_lengths(sentry.common_lengths(), {1501});
}

TEST(Sentry, FollowsChange) {
    Traffic traffic(5);
    traffic.add_system_prompt(700, 1);
    Sentry sentry(sentry_key);
    traffic.show(sentry, 500);
    expect_lengths(sentry.common_lengths(), {700});
    Traffic later(6);
    later.add_system_prompt(2222, 1);
    later.show(sentry, 1200);
    expect_lengths(sentry.common_lengths(), {2222});
}

TEST(Sentry, MemoryIsBounded) {
    Traffic traffic(8);
    Sentry sentry(sentry_key);
    // Prompts diverge from others at all lengths.
    std::vector<Bytes> roots;
    for (int i = 0; i < 300; ++i) roots.push_back(traffic.noise(32 * 1024));
    for (int i = 0; i < 6000; ++i) {
        Bytes prompt = roots[traffic.random.below(roots.size())];
        prompt.resize(64 + traffic.random.below(prompt.size() - 64));
        append(prompt, traffic.noise(8000));
        sentry.observe(prompt);
    }
    EXPECT_LT(sentry.memory(), 350'000u);
    EXPECT_LE(sentry.common_lengths().size(), 32u);
}

// The tree survives a change of the array. Prompts of the former array stay under its root; prompts that are used again
// come to stand under the new root.
TEST(Sentry, ChangeOfArrayKeepsTheTree) {
    Traffic traffic(7);
    HrTree tree(1);
    ChunkHasher before(sentry_key, {1, {}, 256, 64}, HashWidth::bits32);
    ChunkHasher after(sentry_key, {2, {100, 32}, 256, 64}, HashWidth::bits32);
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
