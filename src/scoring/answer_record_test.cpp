#include "scoring/answer_record.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::scoring {
namespace {

AnswerRecord a_record() {
    AnswerRecord record{.model = "smollm2-135m-instruct",
                        .request = crypto::sha256(as_bytes("{}")),
                        .profile = {.temperature = 0.8F, .top_k = 40, .max_tokens = 128},
                        .finish = FinishReason::max_tokens,
                        .tokens = {TokenId{57}, TokenId{5248}, TokenId{0x01020304}}};
    record.nonce.value.fill(7);
    return record;
}

TEST(AnswerRecord, HasOneForm) {
    EXPECT_EQ(to_hex(encode(a_record()).value()),
              "0115736d6f6c6c6d322d3133356d2d696e737472756374"
              "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
              "0707070707070707070707070707070707070707070707070707070707070707"
              "3f4ccccd0028000000000000000080020000000300000039000014800102"
              "0304");
}

TEST(AnswerRecord, ParsesWhatItEncodes) {
    SeededRandom random(1);
    for (int round = 0; round < 300; ++round) {
        AnswerRecord record = a_record();
        record.model.assign(1 + random.below(255), 'm');
        random.fill(record.request);
        random.fill(record.nonce.value);
        record.profile.temperature = random.below(3) == 0 ? 0 : static_cast<float>(0.01 + random.unit());
        record.profile.top_k = static_cast<std::uint32_t>(1 + random.below(1024));
        if (random.below(2) == 0) record.profile.seed = static_cast<std::uint32_t>(random.below(1000));
        record.profile.max_tokens = static_cast<std::uint32_t>(random.below(1000));
        record.finish = FinishReason(1 + random.below(3));
        record.tokens.assign(random.below(50), TokenId(static_cast<std::uint32_t>(random.next())));
        auto parsed = parse_answer_record(encode(record).value());
        ASSERT_TRUE(parsed) << parsed.error().message;
        ASSERT_EQ(*parsed, record);
    }
}

TEST(AnswerRecord, WhatParsesIsWhatEncodes) {
    const Bytes bytes = encode(a_record()).value();
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(parse_answer_record(ByteView(bytes).first(size))) << size;
    Bytes longer = bytes;
    longer.push_back(0);
    EXPECT_FALSE(parse_answer_record(longer));
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        for (int bit = 0; bit < 8; ++bit) {
            Bytes changed = bytes;
            changed[i] = static_cast<std::uint8_t>(changed[i] ^ (1 << bit));
            if (auto parsed = parse_answer_record(changed)) {
                ASSERT_EQ(encode(*parsed).value(), changed) << i;
            }
        }
    }
}

TEST(AnswerRecord, RefusesWhatCannotBeScored) {
    auto refused = [](auto change) {
        AnswerRecord record = a_record();
        change(record);
        return !encode(record);
    };
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.model.clear(); }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.model.assign(256, 'm'); }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.profile.temperature = -0.0F; }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.profile.top_k = 0; }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.profile.seed = random_seed; }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.finish = FinishReason(4); }));
    EXPECT_TRUE(refused([](AnswerRecord& record) { record.tokens.resize(record_token_limit + 1); }));
}

TEST(AnswerRecord, SignatureHoldsForThisRecordAlone) {
    SeededRandom random(2);
    auto node = crypto::Identity::generate(random);
    auto other = crypto::Identity::generate(random);
    auto signature = sign(a_record(), node).value();
    EXPECT_TRUE(verify(a_record(), node.id(), signature));
    EXPECT_FALSE(verify(a_record(), other.id(), signature));
    AnswerRecord changed = a_record();
    changed.tokens.pop_back();
    EXPECT_FALSE(verify(changed, node.id(), signature));
    changed = a_record();
    changed.nonce.value[0] ^= 1;
    EXPECT_FALSE(verify(changed, node.id(), signature));
    changed = a_record();
    changed.profile.seed = 0;
    EXPECT_FALSE(verify(changed, node.id(), signature));
}

}  // namespace
}  // namespace planetserve::scoring
