#include "signing/streamed_tokens.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "signing/streamed_tokens_fixture.h"

namespace planetserve::signing {
namespace {

namespace json = boost::json;
using scoring::TokenId;
using testing_support::StreamFixture;

std::vector<TokenId> ids(std::initializer_list<std::uint32_t> numbers) {
    std::vector<TokenId> result;
    for (std::uint32_t number : numbers) result.push_back(TokenId(number));
    return result;
}

class Streamed : public testing::Test {
protected:
    std::string take(StreamedTokens& tokens, const StreamFixture& stream) {
        Bytes out;
        for (char c : stream.text) EXPECT_TRUE(tokens.take(as_bytes({&c, 1}), out));
        return to_string(out);
    }
    StreamedTokens plain(std::optional<TokenId> end = TokenId(2)) { return {json::object{}, end}; }
};

TEST_F(Streamed, NamesAndEnd) {
    auto tokens = plain();
    auto out = take(tokens, StreamFixture().token(5, "Hi").token(6, " you").end("eos", 1));
    EXPECT_EQ(out, StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":"Hi"})") +
                       StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":" you"})"));
    ASSERT_TRUE(tokens.ended());
    EXPECT_EQ(tokens.gaps_request(), "");
    auto answer = tokens.answer({});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tokens, ids({5, 6, 2}));
    EXPECT_EQ(answer->finish, scoring::FinishReason::end_of_text);
    EXPECT_EQ(answer->prompt_tokens, 31U);
    // The members that only the node asked for are removed. The timings at the end stay: every stream has them.
    EXPECT_EQ(to_string(tokens.rest("abcd")),
              StreamFixture::chunk(R"("finish_reason":"stop","delta":{})",
                                   R"(,"timings":{"predicted_n":3},"planetserve":{"signed_answer":"abcd"})") +
                  "data: [DONE]\n\n");
    EXPECT_TRUE(tokens.rest({}).empty());
}

TEST_F(Streamed, WithoutASignatureNothingIsAdded) {
    auto tokens = plain();
    take(tokens, StreamFixture().token(5, "Hi").end("limit", 0, true));
    auto rest = to_string(tokens.rest({}));
    EXPECT_EQ(rest.find("planetserve"), std::string::npos);
    EXPECT_NE(rest.find("\"usage\""), std::string::npos);
    EXPECT_TRUE(rest.ends_with("data: [DONE]\n\n"));
}

TEST_F(Streamed, GapsAreFilledByTheirText) {
    auto tokens = plain();
    take(tokens, StreamFixture().token(230, "🌌", 2).token(7, "a").token(122, "💬", 2).end("eos", 1));
    EXPECT_EQ(tokens.gaps_request(), R"({"content":["🌌","💬"],"add_special":false,"parse_special":false})");
    auto answer = tokens.answer(ids({10813, 235, 230, 10813, 236, 122}));
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->tokens, ids({10813, 235, 230, 7, 10813, 236, 122, 2}));
    // A wrong number of tokens, or another last token: the engine cut the text in another way than the model did.
    for (const auto& wrong : {ids({}), ids({10813, 235, 230}), ids({10813, 235, 230, 10813, 236, 121}),
                              ids({235, 230, 10813, 236, 122}), ids({10813, 235, 230, 10813, 236, 122, 1})})
        EXPECT_FALSE(tokens.answer(wrong)) << wrong.size();
}

TEST_F(Streamed, WhatTheParserHeldIsInTheEvent) {
    auto tokens = plain();
    StreamFixture stream;
    stream.token(9, "x").told = 3;
    stream.text += StreamFixture::chunk(
        R"("finish_reason":null,"delta":{"content":" \n\n and"},"logprobs":{"content":[{"id":8,"bytes":[97,110,100]}]})",
        R"(,"timings":{"predicted_n":4})");
    stream.told = 4;
    take(tokens, stream.end("limit", 0));
    EXPECT_EQ(tokens.gaps_request(), R"({"content":[" \n\n and"],"add_special":false,"parse_special":false})");
    EXPECT_EQ(tokens.answer(ids({3, 4, 8}))->tokens, ids({9, 3, 4, 8}));
}

TEST_F(Streamed, ALimitWithinACharacterLosesItsBeginning) {
    auto tokens = plain();
    take(tokens, StreamFixture().token(5, "Hi").end("limit", 2));
    auto answer = tokens.answer({});
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->tokens, ids({5}));
    EXPECT_EQ(answer->finish, scoring::FinishReason::max_tokens);
}

TEST_F(Streamed, WhatCannotBePutTogetherIsNoAnswer) {
    auto refused = [&](const StreamFixture& stream, std::optional<TokenId> end = TokenId(2)) {
        auto tokens = plain(end);
        take(tokens, stream);
        return !tokens.answer({});
    };
    EXPECT_TRUE(refused(StreamFixture().token(5, "Hi")));
    EXPECT_TRUE(refused(StreamFixture().token(5, "Hi").end("word", 0)));
    EXPECT_TRUE(refused(StreamFixture().token(5, "Hi").end("eos", 2)));
    EXPECT_TRUE(refused(StreamFixture().token(5, "Hi").end("eos", 1), std::nullopt));
    EXPECT_FALSE(refused(StreamFixture().token(5, "Hi").end("eos", 0), std::nullopt));
    EXPECT_TRUE(refused(StreamFixture().token(5, "Hi").end("limit", 4)));
    StreamFixture back = StreamFixture().token(5, "Hi");
    back.told = 0;
    EXPECT_TRUE(refused(back.token(6, "x").end("limit", 0)));
    StreamFixture bad;
    bad.text = StreamFixture::chunk(R"("finish_reason":null,"logprobs":{"content":[{"id":-1,"bytes":[300]}]})",
                                    R"(,"timings":{"predicted_n":1})");
    EXPECT_TRUE(refused(bad.end("limit", 1)));
}

TEST_F(Streamed, WhatTheClientAskedForStays) {
    json::object request{{"logprobs", true}, {"top_logprobs", 3}, {"timings_per_token", true}};
    EXPECT_EQ(streamed_tokens_members(request), R"("verbose":true,"timings_per_token":true)");
    StreamedTokens tokens(request, TokenId(2));
    auto stream = StreamFixture().token(5, "Hi");
    const auto events = stream.text;
    Bytes out;
    ASSERT_TRUE(tokens.take(as_bytes(events), out));
    EXPECT_NE(as_text(out).find("\"logprobs\""), std::string::npos);
    EXPECT_NE(as_text(out).find("\"timings\""), std::string::npos);
    EXPECT_EQ(streamed_tokens_members(json::object{{"logprobs", false}, {"top_logprobs", nullptr}}),
              R"("verbose":true,"timings_per_token":true,"logprobs":true,"top_logprobs":1,"post_sampling_probs":true)");
    EXPECT_FALSE(streamed_tokens_members(json::object{{"top_logprobs", 3}}));
    EXPECT_FALSE(streamed_tokens_members(json::object{{"n_probs", 3}}));
}

TEST_F(Streamed, OtherEventsPass) {
    auto tokens = plain();
    const std::string odd = "data: {\"error\":{\"message\":\"no\"}}\n\ndata: [1]\n\ndata: no JSON\n\n";
    Bytes out;
    ASSERT_TRUE(tokens.take(as_bytes(odd), out));
    EXPECT_EQ(as_text(out), odd);
    Bytes large(inference::EventStream::limit + 10, 'x');
    EXPECT_FALSE(tokens.take(large, out));
}

}  // namespace
}  // namespace planetserve::signing
