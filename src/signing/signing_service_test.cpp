#include "signing/signing_service.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "inference/bounded_json.h"
#include "inference/recording_sink_fixture.h"
#include "inference/small_call.h"
#include "scoring/signed_answer.h"
#include "signing/streamed_tokens_fixture.h"

namespace planetserve::signing {
namespace {

using namespace testing_support;
using inference::post_of;
using inference::RecordingSink;
namespace json = boost::json;
using inference::find;

// Gives the replies that a test sets, at once or piece by piece.
struct FakeEngine final : inference::Service {
    struct Handle final : inference::Exchange {
        explicit Handle(FakeEngine& of) : engine(of) {}
        ~Handle() override { engine.sink = nullptr; }
        void consumed(std::size_t bytes) override { engine.consumed += bytes; }
        FakeEngine& engine;
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& told) override {
        if (request.path == "/tokenize") {
            if (tokens.empty()) return fail(ErrorCode::unavailable, "no more");
            tokenized = std::move(request);
            tokenizing = &told;
            return std::make_unique<Tokenizing>();
        }
        asked = std::move(request);
        sink = &told;
        return std::make_unique<Handle>(*this);
    }
    struct Tokenizing final : inference::Exchange {
        void consumed(std::size_t) override {}
    };
    void tokenize() {
        tokenizing->on_head({200, {}});
        tokenizing->on_body(as_bytes(tokens));
        tokenizing->on_end();
    }
    void stream(const std::string& events) {
        sink->on_head({200, {{"content-type", "text/event-stream"}}});
        go_on(events);
    }
    void go_on(const std::string& events) {
        for (std::size_t at = 0; at < events.size() && sink != nullptr; at += 100)
            sink->on_body(as_bytes(std::string_view(events).substr(at, 100)));
    }
    void reply(const std::string& body, const std::string& type = "application/json", unsigned status = 200) {
        sink->on_head({status, {{"content-type", type}}});
        for (std::size_t at = 0; at < body.size() && sink != nullptr; at += 1000)
            sink->on_body(as_bytes(std::string_view(body).substr(at, 1000)));
        if (sink != nullptr) sink->on_end();
    }

    inference::Request asked;
    inference::ReplySink* sink = nullptr;
    std::size_t consumed = 0;
    std::string tokens = {};  // what /tokenize says
    inference::Request tokenized = {};
    inference::ReplySink* tokenizing = nullptr;
};

std::string engine_reply(const std::string& stop_type, std::size_t padding = 0) {
    return R"({"choices":[{"index":0,"finish_reason":"stop","message":{"role":"assistant","content":"Hi)" +
           std::string(padding, '.') +
           R"("}}],"usage":{"prompt_tokens":31},"__verbose":{"content":"Hi","tokens":[5,17,2],"stop_type":")" +
           stop_type + R"(","tokens_evaluated":31,"prompt":"secret template"}})";
}

class Signing : public testing::Test {
protected:
    void ask(const std::string& body, const std::string& path = "/v1/chat/completions") {
        auto request = post_of(path, body);
        request.id = random_.id<IdempotencyId>();
        id_ = request.id;
        auto started = service_.start(std::move(request), sink_);
        ASSERT_TRUE(started);
        sink_.exchange = std::move(*started);
    }
    json::value asked() const { return inference::parse_json(as_text(engine_.asked.body), 1 << 20).value(); }
    json::value told() const { return inference::parse_json(sink_.body, 1 << 24).value(); }

    SeededRandom random_{1};
    crypto::Identity node_ = crypto::Identity::generate(random_);
    FakeEngine engine_;
    SigningService service_{engine_, "m", node_, scoring::TokenId(2)};
    RecordingSink sink_;
    IdempotencyId id_;
};

const std::string question = R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})";

TEST_F(Signing, AnAnswerComesWithItsTokensSigned) {
    ask(question);
    auto request = asked();
    auto nonce = scoring::nonce_of(id_);
    EXPECT_EQ(inference::count_of(find(&request, "seed")), scoring::seed_of(nonce));
    EXPECT_TRUE(inference::is_true(find(&request, "return_tokens")));
    EXPECT_TRUE(inference::is_given(find(&request, "messages")));
    engine_.reply(engine_reply("eos"));
    ASSERT_TRUE(sink_.ended);
    auto reply = told();
    EXPECT_EQ(find(&reply, "__verbose"), nullptr);
    EXPECT_EQ(inference::count_of(find(find(&reply, "usage"), "prompt_tokens")), 31u);
    auto hex = inference::text_of(find(find(&reply, "planetserve"), "signed_answer"));
    ASSERT_TRUE(hex);
    auto answer = scoring::parse_signed_answer(*from_hex(*hex));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(scoring::verify(*answer));
    EXPECT_EQ(answer->node, node_.id());
    EXPECT_EQ(answer->nonce, nonce);
    EXPECT_EQ(answer->request, crypto::sha256(as_bytes(question)));
    EXPECT_EQ(answer->model, "m");
    EXPECT_EQ(answer->finish, scoring::FinishReason::end_of_text);
    EXPECT_EQ(answer->prompt_tokens, 31u);
    EXPECT_EQ(answer->tokens, (std::vector{scoring::TokenId(5), scoring::TokenId(17), scoring::TokenId(2)}));
}

TEST_F(Signing, WhatCannotBeScoredIsNotSigned) {
    ask(question);
    engine_.reply(engine_reply("word"));
    auto reply = told();
    EXPECT_EQ(find(&reply, "__verbose"), nullptr);
    EXPECT_EQ(find(&reply, "planetserve"), nullptr);
    EXPECT_TRUE(inference::is_given(find(&reply, "choices")));
}

TEST_F(Signing, AUsersSeedAndFieldsStay) {
    ask(R"({"seed":5,"top_p":0.5,"temperature":null,"messages":[]})");
    auto request = asked();
    EXPECT_EQ(inference::count_of(find(&request, "seed")), 5u);
    EXPECT_EQ(inference::number_of(find(&request, "top_p")), 0.5);
    EXPECT_EQ(inference::number_of(find(&request, "temperature")), 0.8);
    EXPECT_EQ(inference::list_of(find(&request, "samplers"))->size(), 4u);
    sink_.exchange.reset();
    const std::string own = R"({"verbose":true,"seed":5,"n":2,"messages":[]})";
    ask(own);
    EXPECT_EQ(as_text(engine_.asked.body), own);
    engine_.reply(engine_reply("eos"));
    EXPECT_EQ(sink_.body, engine_reply("eos"));
}

const std::string streamed_question = R"({"stream":true,"messages":[{"role":"user","content":"Hi"}]})";

TEST_F(Signing, AStreamIsSignedInTheEventThatEndsIt) {
    ask(streamed_question);
    auto request = asked();
    EXPECT_TRUE(find(&request, "seed"));
    EXPECT_TRUE(inference::is_true(find(&request, "logprobs")));
    StreamFixture events;
    engine_.stream(events.token(5, "Hi").text);
    EXPECT_EQ(sink_.body, StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":"Hi"})"));
    EXPECT_EQ(engine_.consumed, events.text.size());
    sink_.body.clear();
    events.text.clear();
    engine_.go_on(events.end("eos", 1).text);
    engine_.sink->on_end();
    ASSERT_TRUE(sink_.ended);
    ASSERT_TRUE(sink_.body.starts_with("data: {"));
    ASSERT_TRUE(sink_.body.ends_with("}\n\ndata: [DONE]\n\n"));
    auto end = inference::parse_json(sink_.body.substr(6, sink_.body.find("\n\n") - 6), 1 << 20).value();
    EXPECT_EQ(find(&end, "__verbose"), nullptr);
    auto answer =
        scoring::parse_signed_answer(*from_hex(*inference::text_of(find(find(&end, "planetserve"), "signed_answer"))));
    ASSERT_TRUE(answer);
    EXPECT_TRUE(scoring::verify(*answer));
    EXPECT_EQ(answer->nonce, scoring::nonce_of(id_));
    EXPECT_EQ(answer->request, crypto::sha256(as_bytes(streamed_question)));
    EXPECT_EQ(answer->tokens, (std::vector{scoring::TokenId(5), scoring::TokenId(2)}));
}

TEST_F(Signing, AStreamWithGapsWaitsForTheirTokens) {
    for (const char* tokens : {R"({"tokens":[10813,235,230]})", R"({"tokens":[1]})", R"({"error":{}})", ""}) {
        engine_.tokens = tokens;
        sink_.body.clear();
        sink_.ended = false;
        ask(streamed_question);
        engine_.stream(StreamFixture().token(230, "🌌", 2).end("eos", 1, true).text);
        engine_.sink->on_end();
        if (!engine_.tokens.empty()) {
            EXPECT_FALSE(sink_.ended);
            EXPECT_EQ(sink_.body, StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":"🌌"})"));
            EXPECT_NE(as_text(engine_.tokenized.body).find("🌌"), std::string::npos);
            engine_.tokenize();
        }
        EXPECT_TRUE(sink_.ended);
        EXPECT_TRUE(sink_.body.ends_with("data: [DONE]\n\n"));
        EXPECT_EQ(sink_.body.find("signed_answer") != std::string::npos, engine_.tokens.contains("230")) << tokens;
        sink_.exchange.reset();
    }
}

TEST_F(Signing, AStreamsReaderHoldsTheEngineBack) {
    sink_.consume = false;
    ask(streamed_question);
    StreamFixture events;
    events.token(5, std::string(1000, 'x'));
    const std::string one =
        StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":")" + std::string(1000, 'x') + R"("})");
    engine_.stream(events.text);
    for (int i = 0; i < 2000; ++i) engine_.go_on(one);
    EXPECT_LE(sink_.body.size(), inference::reply_window);
    EXPECT_LT(engine_.consumed, inference::reply_window);
    for (int i = 0; i < 40 && sink_.exchange; ++i) sink_.exchange->consumed(60'000);
    EXPECT_GT(sink_.body.size(), std::size_t{2000} * 1000);
    EXPECT_EQ(engine_.consumed, events.text.size() + 2000 * one.size());
}

TEST_F(Signing, AStreamThatCannotBeScoredPassesAsItComes) {
    ask(R"({"stream":true,"tools":[{}],"messages":[]})");
    auto request = asked();
    EXPECT_TRUE(find(&request, "seed"));
    EXPECT_FALSE(find(&request, "verbose"));
    EXPECT_FALSE(find(&request, "samplers"));
    engine_.stream("data: {}\n\n");
    EXPECT_EQ(sink_.body, "data: {}\n\n");
}

TEST_F(Signing, AStreamMayBreakOff) {
    ask(streamed_question);
    engine_.stream(StreamFixture().token(5, "Hi").text);
    engine_.sink->on_error({ErrorCode::unavailable, "gone"});
    ASSERT_TRUE(sink_.error);
    EXPECT_EQ(sink_.body, StreamFixture::chunk(R"("finish_reason":null,"delta":{"content":"Hi"})"));
    sink_.hang_up_at_body = true;
    ask(streamed_question);
    engine_.stream(StreamFixture().token(5, "Hi").end("eos", 1).text);
    EXPECT_EQ(engine_.sink, nullptr);
}

TEST_F(Signing, OtherRequestsAndBadOnesPassUnchanged) {
    for (std::string body : {"{", "[]", "{}", "", R"({"input":"x"})"}) {
        ask(body, body.size() > 10 ? "/v1/embeddings" : "/v1/chat/completions");
        EXPECT_EQ(as_text(engine_.asked.body), body);
        sink_.exchange.reset();
    }
}

TEST_F(Signing, ErrorsPass) {
    ask(question);
    engine_.reply(R"({"error":{"message":"no"}})", "application/json", 400);
    EXPECT_EQ(sink_.head.status, 400u);
    EXPECT_EQ(sink_.body, R"({"error":{"message":"no"}})");
    ask(question);
    engine_.sink->on_head({200, {{"content-type", "application/json"}}});
    engine_.sink->on_error({ErrorCode::unavailable, "gone"});
    ASSERT_TRUE(sink_.error);
    EXPECT_EQ(sink_.error->message, "gone");
}

TEST_F(Signing, ALongReplyWaitsForItsReader) {
    sink_.consume = false;
    ask(question);
    engine_.reply(engine_reply("eos", 3 << 20));
    EXPECT_EQ(sink_.body.size(), inference::reply_window);
    EXPECT_FALSE(sink_.ended);
    for (int i = 0; i < 10 && sink_.exchange; ++i) sink_.exchange->consumed(400'000);
    EXPECT_TRUE(sink_.ended);
    EXPECT_GT(sink_.body.size(), std::size_t{3} << 20);
    sink_.consume = true;
    sink_.body.clear();
    sink_.ended = false;
    ask(question);
    engine_.reply(engine_reply("eos", 3 << 20));
    EXPECT_TRUE(sink_.ended);
    ask(question);
    engine_.reply(engine_reply("eos", SigningService::reply_limit));
    EXPECT_EQ(sink_.error->code, ErrorCode::exhausted);
}

TEST_F(Signing, TheReaderMayLeaveAtAnyTime) {
    sink_.hang_up_at_head = true;
    ask(question);
    engine_.reply(engine_reply("eos"));
    EXPECT_EQ(sink_.body, "");
    EXPECT_FALSE(sink_.ended);
    sink_.hang_up_at_head = false;
    sink_.hang_up_at_body = true;
    ask(question);
    engine_.reply(engine_reply("eos"));
    EXPECT_FALSE(sink_.ended);
}

}  // namespace
}  // namespace planetserve::signing
