#include "signing/engine_tokens.h"

#include <gtest/gtest.h>

namespace planetserve::signing {
namespace {

// A reply of llama-server 0.5.0, cut to the members that are read.
std::string reply(std::string_view stop, std::string_view tokens, std::string_view truncated = "false") {
    return R"({"choices":[{"finish_reason":"length","index":0,"message":{"role":"assistant","content":"👩🏻"}}],)"
           R"("object":"chat.completion","usage":{"completion_tokens":4,"prompt_tokens":44,"total_tokens":48},)"
           R"("__verbose":{"index":0,"content":"👩🏻","tokens":)" +
           std::string(tokens) + R"(,"stop":true,"tokens_predicted":4,"tokens_evaluated":44,"truncated":)" +
           std::string(truncated) + R"(,"stop_type":")" + std::string(stop) + R"(","stopping_word":""}})";
}

TEST(EngineTokens, ReadsAnAnswer) {
    auto answer = read_engine_answer(reply("limit", "[10813,235,119,2]"));
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->tokens.size(), 4U);
    EXPECT_EQ(number(answer->tokens[1]), 235U);
    EXPECT_EQ(answer->finish, scoring::FinishReason::max_tokens);
    EXPECT_EQ(answer->prompt_tokens, 44U);
    EXPECT_EQ(answer->text, "👩🏻");
    EXPECT_EQ(read_engine_answer(reply("eos", "[2]"))->finish, scoring::FinishReason::end_of_text);
    EXPECT_EQ(read_engine_answer(reply("limit", "[2]", "true"))->finish, scoring::FinishReason::context_full);
}

TEST(EngineTokens, RefusesWhatCannotBeScored) {
    for (const std::string& body : {reply("word", "[2]"), reply("none", "[2]"), reply("eos", "[-1]"),
                                    reply("eos", "[2.5]"), reply("eos", "[\"2\"]"), reply("eos", "[4294967296]"),
                                    reply("eos", "null"), std::string("{}"), std::string("[]"), std::string("no"),
                                    std::string(R"({"choices":[{"message":{"content":"without tokens"}}]})")})
        EXPECT_FALSE(read_engine_answer(body)) << body;
    auto refused = read_engine_answer(R"({"error":{"code":400,"message":"Prompt contains invalid tokens"}})");
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().message, "the engine: Prompt contains invalid tokens");
}

TEST(EngineTokens, BindsTheSampler) {
    boost::json::object request{{"messages", boost::json::array{}}, {"temperature", 2}};
    bind_sampling(request, {.temperature = 0.5F, .top_k = 20, .seed = 0xfffffffe, .max_tokens = 9}, {});
    ask_for_tokens(request);
    EXPECT_EQ(boost::json::serialize(request),
              R"({"messages":[],"temperature":5E-1,"seed":4294967294,"samplers":["top_k","top_p","min_p",)"
              R"("temperature"],"top_k":20,"top_p":1E0,"min_p":0E0,"max_tokens":9,"return_tokens":true,)"
              R"("verbose":true})");
}

TEST(EngineTokens, PromptsAsTokens) {
    EXPECT_EQ(read_applied_template(R"({"prompt":"<|im_start|>user\nHi"})").value(), "<|im_start|>user\nHi");
    EXPECT_FALSE(read_applied_template(R"({"prompt":7})"));
    EXPECT_EQ(tokenize_request("a\"b"), R"({"content":"a\"b","add_special":true,"parse_special":true})");
    auto tokens = read_tokens(R"({"tokens":[1,4093,198,26843,2,198]})");
    ASSERT_TRUE(tokens);
    EXPECT_EQ(tokens->size(), 6U);
    EXPECT_FALSE(read_tokens(R"({"tokens":{}})"));
}

}  // namespace
}  // namespace planetserve::signing
