#include "scoring/signed_answer.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::scoring {
namespace {

SignedAnswer made(SeededRandom& random, const crypto::Identity& node) {
    SignedAnswer answer{.model = "smollm2", .prompt_tokens = 31};
    random.fill(answer.nonce.value);
    random.fill(answer.request);
    for (std::uint32_t i = 0; i < 40; ++i)
        answer.tokens.push_back(TokenId(static_cast<std::uint32_t>(random.below(49152))));
    answer.finish = FinishReason::max_tokens;
    sign(answer, node);
    return answer;
}

TEST(SignedAnswer, ComesBackAsItWas) {
    SeededRandom random(1);
    auto node = crypto::Identity::generate(random);
    auto answer = made(random, node);
    EXPECT_TRUE(verify(answer));
    auto parsed = parse_signed_answer(serialise(answer));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, answer);
    EXPECT_TRUE(verify(*parsed));
}

TEST(SignedAnswer, NoOtherWordsAreSigned) {
    SeededRandom random(2);
    auto node = crypto::Identity::generate(random);
    auto other = crypto::Identity::generate(random);
    const Bytes bytes = serialise(made(random, node));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        Bytes changed = bytes;
        changed[i] ^= 1;
        auto parsed = parse_signed_answer(changed);
        EXPECT_TRUE(!parsed || !verify(*parsed)) << "byte " << i;
    }
    auto stolen = made(random, node);
    stolen.node = other.id();
    EXPECT_EQ(verify(stolen).error().code, ErrorCode::authentication);
}

TEST(SignedAnswer, OtherSizesAreRefused) {
    SeededRandom random(3);
    const Bytes bytes = serialise(made(random, crypto::Identity::generate(random)));
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(parse_signed_answer(ByteView(bytes).first(size))) << size;
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(parse_signed_answer(longer));
}

TEST(SignedAnswer, TheNonceFollowsFromTheRequest) {
    SeededRandom random(4);
    auto a = random.id<IdempotencyId>(), b = random.id<IdempotencyId>();
    EXPECT_EQ(nonce_of(a), nonce_of(a));
    EXPECT_NE(nonce_of(a), nonce_of(b));
}

}  // namespace
}  // namespace planetserve::scoring
