#include "adapters/vllm/vllm_tokenizer.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

using inference::PromptTokens;

TEST(VllmTokenizer, AsksForWhatDecidesTheTokens) {
    EXPECT_EQ(
        vllm_tokenize_request("/v1/chat/completions",
                              as_bytes(R"({"model":"m","messages":[{"role":"user","content":"hi"},)"
                                       R"({"role":"user","content":[{"type":"text","text":"ho"}]}],)"
                                       R"("temperature":1,"stream":true,"tools":[],"add_generation_prompt":false})"))
            .value(),
        R"({"return_token_strs":true,"model":"m","messages":[{"role":"user","content":"hi"},)"
        R"({"role":"user","content":[{"type":"text","text":"ho"}]}],"tools":[],"add_generation_prompt":false})");
    EXPECT_EQ(vllm_tokenize_request("/v1/completions", as_bytes(R"({"model":"m","prompt":["hi"],"n":2})")).value(),
              R"({"return_token_strs":true,"model":"m","prompt":"hi"})");
}

TEST(VllmTokenizer, DoesNotAskForWhatItCannotKnow) {
    const char* picture =
        R"({"model":"m","messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"x"}}]}]})";
    EXPECT_FALSE(vllm_tokenize_request("/v1/chat/completions", as_bytes(picture)));
    EXPECT_FALSE(vllm_tokenize_request("/v1/chat/completions", as_bytes(R"({"model":"m"})")));
    EXPECT_FALSE(vllm_tokenize_request("/v1/completions", as_bytes(R"({"prompt":["a","b"]})")));
    EXPECT_FALSE(vllm_tokenize_request("/v1/completions", as_bytes("no JSON")));
    EXPECT_FALSE(vllm_tokenize_request("/v1/messages", as_bytes(R"({"messages":[]})")));
    EXPECT_FALSE(vllm_tokenize_request("/v1/embeddings", as_bytes(R"({"input":"a"})")));
}

TEST(VllmTokenizer, ReadsAnAnswer) {
    auto tokens = read_vllm_tokens(R"({"count":3,"max_model_len":4096,"tokens":[1,4093,198],)"
                                   R"("token_strs":["<|im_start|>","Ġuser","é"]})");
    ASSERT_TRUE(tokens) << tokens.error().message;
    EXPECT_EQ(tokens->ids, (std::vector<std::uint32_t>{1, 4093, 198}));
    EXPECT_EQ(tokens->weights, (std::vector<std::uint32_t>{2, 5, 1}));
    auto plain = read_vllm_tokens(R"({"count":1,"max_model_len":4096,"tokens":[7],"token_strs":null})");
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->ids.size(), 1u);
    EXPECT_TRUE(plain->weights.empty());
    for (const char* body : {"", "{}", R"({"tokens":{}})", R"({"tokens":[-1]})", R"({"tokens":["a"]})",
                             R"({"tokens":[4294967296]})", R"({"error":{"message":"no"}})"})
        EXPECT_FALSE(read_vllm_tokens(body)) << body;
}

// Holds requests until the test answers.
struct Engine final : inference::Service {
    struct Silent final : inference::Exchange {
        Silent(Engine& of, std::size_t number) : engine(of), index(number) {}
        ~Silent() override { engine.asked[index].second = nullptr; }
        void consumed(std::size_t) override {}
        Engine& engine;
        std::size_t index;
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        if (refuses) return fail(ErrorCode::exhausted, "full");
        asked.emplace_back(request.path + " " + to_string(request.body), &sink);
        return std::make_unique<Silent>(*this, asked.size() - 1);
    }
    void answer(std::size_t index, unsigned status, std::string_view body) {
        // An exchange that is gone hears nothing.
        const auto& sink = asked[index].second;
        sink->on_head({status, {}});
        if (sink != nullptr) sink->on_body(as_bytes(body));
        if (sink != nullptr) sink->on_end();
    }
    bool refuses = false;
    std::vector<std::pair<std::string, inference::ReplySink*>> asked;
};

class VllmTokenizerTest : public ::testing::Test {
protected:
    void ask() {
        tokenizer.tokenize("/v1/completions", as_bytes(R"({"prompt":"hi"})"),
                           [this](std::optional<PromptTokens> tokens) { told.push_back(std::move(tokens)); });
    }
    void run() {
        context.restart();
        context.poll();
    }
    boost::asio::io_context context;
    Engine engine;
    VllmTokenizer tokenizer{context, engine};
    std::vector<std::optional<PromptTokens>> told;
};

TEST_F(VllmTokenizerTest, TellsEachOnce) {
    ask();
    ask();
    run();
    EXPECT_TRUE(told.empty());
    engine.answer(1, 200, R"({"tokens":[1,2]})");
    engine.answer(0, 404, "not here");
    ASSERT_EQ(told.size(), 2u);
    EXPECT_EQ(told[0]->ids.size(), 2u);
    EXPECT_FALSE(told[1]);
    EXPECT_EQ(tokenizer.failed(), 1u);
}

TEST_F(VllmTokenizerTest, NeverTellsAtOnceAndIsBounded) {
    engine.refuses = true;
    ask();
    EXPECT_TRUE(told.empty());
    run();
    ASSERT_EQ(told.size(), 1u);
    EXPECT_FALSE(told[0]);
    engine.refuses = false;
    for (std::size_t i = 0; i < VllmTokenizer::at_once + 3; ++i) ask();
    run();
    EXPECT_EQ(told.size(), 4u);
    EXPECT_EQ(engine.asked.size(), VllmTokenizer::at_once);
    engine.asked[0].second->on_error({ErrorCode::timed_out, "late"});
    engine.asked[1].second->on_head({200, {}});
    const std::string much(1 << 20, ' ');
    for (int i = 0; told.size() < 6 && i < 40; ++i) engine.asked[1].second->on_body(as_bytes(much));
    EXPECT_EQ(told.size(), 6u) << "an answer over the limit";
}

}  // namespace
}  // namespace planetserve::adapters
