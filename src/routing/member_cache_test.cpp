// A member whose engine reports what its cache holds.

#include <gtest/gtest.h>

#include "routing/member.h"

namespace planetserve::routing {
namespace {

using Tokens = std::vector<std::uint32_t>;

// A token stands for 4 bytes and a block has 16 tokens, so a level is 4 blocks.
constexpr std::size_t block_tokens = 16;
constexpr std::size_t level_bytes = 256;

struct Output final : MemberOutput {
    void send_sync(const NodeId&, ByteView) override { ++messages; }
    std::size_t messages = 0;
};

class MemberCacheTest : public ::testing::Test {
protected:
    static MemberOptions options() {
        MemberOptions options;
        options.follow_cache = true;
        options.cache_bytes = 16 << 10;
        return options;
    }
    Bytes prompt_of(std::size_t levels) {
        Bytes prompt(levels * level_bytes);
        random_.fill(prompt);
        return prompt;
    }
    // A simple tokenizer: four bytes are a token, so equal prefixes have equal tokens.
    static Tokens tokens_of(const Bytes& prompt) {
        Tokens tokens;
        for (std::size_t at = 0; at + 4 <= prompt.size(); at += 4)
            tokens.push_back(load_big_endian<std::uint32_t>(ByteView(prompt).subspan(at, 4)));
        return tokens;
    }
    // The engine's hash of the block that ends the first `blocks` blocks.
    static BlockHash name_of(const Tokens& tokens, std::size_t blocks) {
        PrefixKey key;
        for (std::size_t i = 0; i < blocks * block_tokens; ++i) key = key.child(tokens[i]);
        return {key.value};
    }
    void store(const Bytes& prompt, std::size_t from, std::size_t to) {
        const Tokens tokens = tokens_of(prompt);
        BlocksStored event;
        event.block_size = block_tokens;
        if (from > 0) event.parent = name_of(tokens, from);
        for (std::size_t block = from; block < to; ++block) event.hashes.push_back(name_of(tokens, block + 1));
        event.tokens.assign(tokens.begin() + static_cast<std::ptrdiff_t>(from * block_tokens),
                            tokens.begin() + static_cast<std::ptrdiff_t>(to * block_tokens));
        member_.on_cache_event(event);
    }
    void remove(const Bytes& prompt, std::size_t block) {
        member_.on_cache_event(BlocksRemoved{{name_of(tokens_of(prompt), block + 1)}, Medium::gpu, 0});
    }
    void serve(const Bytes& prompt, bool answered = true) {
        auto started = member_.on_started(prompt);
        member_.on_computed(started.number);
        if (answered) member_.on_finished(prompt, prompt, std::nullopt);
        member_.on_prompt_tokens(prompt, tokens_of(prompt), {}, now_);
    }
    void settle() {
        EXPECT_LE(member_.next_timer(), now_ + 1s);
        now_ += 1s;
        member_.on_timer(now_);
    }
    std::uint64_t held_levels(const Bytes& prompt) { return member_.cached_tokens(self_, prompt) * 4 / level_bytes; }

    SeededRandom random_{3};
    Output output_;
    Time now_{1000s};
    NodeId self_ = random_.id<NodeId>();
    Member member_{self_, options(), 1, random_, output_};
};

TEST_F(MemberCacheTest, RemovedBlocksTakeLevelsOut) {
    member_.on_cache_unknown(true);
    Bytes prompt = prompt_of(5);
    store(prompt, 0, 20);
    serve(prompt);
    settle();
    EXPECT_EQ(held_levels(prompt), 5u);
    remove(prompt, 19);
    EXPECT_EQ(held_levels(prompt), 4u);
    // Another prompt that shares two levels keeps them.
    Bytes other(prompt.begin(), prompt.begin() + 2 * level_bytes);
    append(other, prompt_of(2));
    store(other, 8, 16);
    serve(other);
    settle();
    remove(prompt, 8);
    EXPECT_EQ(held_levels(prompt), 2u);
    EXPECT_EQ(held_levels(other), 4u);
    remove(prompt, 3);
    EXPECT_EQ(held_levels(prompt), 0u);
    EXPECT_EQ(held_levels(other), 0u);
    EXPECT_EQ(member_.own_prefixes(), 0u);
    EXPECT_EQ(member_.counters().withdrawn, 7u);
}

// An engine may answer its first prompt before the subscription to its events is up.
TEST_F(MemberCacheTest, WhatWasServedBeforeTheEventsBeginIsKept) {
    Bytes prompt = prompt_of(4);
    serve(prompt);
    member_.on_cache_unknown(true);
    EXPECT_EQ(held_levels(prompt), 0u);
    store(prompt, 0, 12);
    settle();
    EXPECT_EQ(held_levels(prompt), 3u) << "as much as the events tell";
    EXPECT_EQ(member_.own_prefixes(), 3u);
    EXPECT_EQ(member_.counters().corrections, 1u);
    remove(prompt, 8);
    EXPECT_EQ(held_levels(prompt), 2u);
}

TEST_F(MemberCacheTest, WhatAnotherEngineServedIsForgotten) {
    Bytes prompt = prompt_of(4);
    serve(prompt);
    member_.on_cache_unknown(true);
    settle();
    EXPECT_EQ(held_levels(prompt), 0u);
    EXPECT_EQ(member_.own_prefixes(), 0u);
}

TEST_F(MemberCacheTest, AWrongGuessIsCorrected) {
    member_.on_cache_unknown(true);
    Bytes prompt = prompt_of(6);
    store(prompt, 0, 9);
    serve(prompt, false);
    EXPECT_EQ(held_levels(prompt), 6u) << "taken for held from its start on";
    settle();
    EXPECT_EQ(held_levels(prompt), 2u) << "the engine has two levels and a block";
    EXPECT_EQ(member_.counters().corrections, 1u);
    Bytes never = prompt_of(3);
    serve(never);
    settle();
    EXPECT_EQ(held_levels(never), 0u);
    EXPECT_EQ(member_.counters().settled, 2u);
    EXPECT_EQ(member_.counters().unmatched, 1u);
}

TEST_F(MemberCacheTest, WhatTheEngineHeldBeforeStaysAGuess) {
    member_.on_cache_unknown(false);
    Bytes before = prompt_of(3);
    serve(before);
    settle();
    EXPECT_EQ(held_levels(before), 3u) << "its blocks may be there from before";
    Bytes since = prompt_of(3);
    store(since, 0, 5);
    serve(since);
    settle();
    EXPECT_EQ(held_levels(since), 1u);
}

TEST_F(MemberCacheTest, LostEventsVoidWhatWasTold) {
    member_.on_cache_unknown(true);
    Bytes prompt = prompt_of(4);
    store(prompt, 0, 16);
    serve(prompt);
    settle();
    const std::uint64_t sum = member_.own_content().key_sum;
    EXPECT_NE(sum, 0u);
    member_.on_cache_unknown(false);
    EXPECT_EQ(member_.own_prefixes(), 0u);
    EXPECT_EQ(held_levels(prompt), 0u);
    EXPECT_EQ(member_.blocks().blocks(), 0u);
    serve(prompt);
    EXPECT_EQ(member_.own_content().key_sum, sum) << "rebuilt by what is served";
    member_.on_cache_event(CacheCleared{});
    EXPECT_EQ(member_.own_prefixes(), 0u);
}

TEST_F(MemberCacheTest, TheMirrorGrowsToWhatTheEngineHolds) {
    member_.on_cache_unknown(true);
    std::vector<Bytes> prompts;
    for (int i = 0; i < 20; ++i) {
        prompts.push_back(prompt_of(8));
        store(prompts.back(), 0, 32);
        serve(prompts.back());
        settle();
    }
    // 40 KiB; the configuration says 16.
    for (const Bytes& prompt : prompts) EXPECT_EQ(held_levels(prompt), 8u);
}

TEST_F(MemberCacheTest, WeightsSayWhereTokensEnd) {
    member_.on_cache_unknown(true);
    Bytes prompt = prompt_of(4);
    const Tokens tokens = tokens_of(prompt);
    store(prompt, 0, 8);
    // The first half of the tokens are three quarters of the text.
    Tokens weights(tokens.size(), 1);
    std::fill(weights.begin(), weights.begin() + static_cast<std::ptrdiff_t>(weights.size() / 2), 3);
    member_.on_started(prompt);
    member_.on_prompt_tokens(prompt, tokens, weights, now_);
    settle();
    EXPECT_EQ(held_levels(prompt), 3u);
}

TEST_F(MemberCacheTest, PromptsThatWaitAreBounded) {
    member_.on_cache_unknown(true);
    for (int i = 0; i < 300; ++i) {
        Bytes prompt = prompt_of(1);
        member_.on_prompt_tokens(prompt, tokens_of(prompt), {}, now_);
    }
    EXPECT_EQ(member_.counters().settled, 44u);
    settle();
    EXPECT_EQ(member_.counters().settled, 300u);
    EXPECT_EQ(member_.next_timer(), Time::max());
}

}  // namespace
}  // namespace planetserve::routing
