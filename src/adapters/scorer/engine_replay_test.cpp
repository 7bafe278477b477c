// Answers of the real llama-server, asked as users ask and signed as a model node signs them, scored by a verification
// node's copy. Runs where PLANETSERVE_ENGINE and PLANETSERVE_MODELS are set.
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <cstdlib>

#include "adapters/llama/gguf.h"
#include "adapters/llama/managed_engine.h"
#include "adapters/llama/test_support.h"
#include "adapters/scorer/chat_tokens.h"
#include "adapters/scorer/llama_scorer.h"
#include "base/random.h"
#include "inference/bounded_json.h"
#include "inference/event_stream.h"
#include "scoring/signed_answer.h"
#include "signing/request_sampling.h"
#include "signing/signing_service.h"
#include "verification_agent/challenge.h"

namespace planetserve::adapters {
namespace {

namespace json = boost::json;
using namespace testing_support;
using inference::find;

struct Reply {
    scoring::Nonce nonce;
    std::string text = {};
    bool other_members = false;  // members that the client did not ask for
    std::optional<scoring::SignedAnswer> answer = std::nullopt;
};

class EngineReplay : public testing::Test {
protected:
    void SetUp() override {
        const char* engine = std::getenv("PLANETSERVE_ENGINE");
        const char* models = std::getenv("PLANETSERVE_MODELS");
        if (!engine || !models) GTEST_SKIP() << "PLANETSERVE_ENGINE or PLANETSERVE_MODELS is not set";
        ManagedEngineOptions options;
        options.program = std::filesystem::path(engine) / "bin/llama-server";
        options.model_file = std::filesystem::path(models) / "SmolLM2-135M-Instruct.Q8_0.gguf";
        if (!std::filesystem::exists(options.model_file)) GTEST_SKIP() << "there is no " << options.model_file;
        options.alias = "m";
        options.slots = 2;
        options.context = 1024;
        options.threads = 1;
        options.socket = folder_.path / "e.sock";
        options.log = folder_.path / "e.log";
        engine_ = std::make_unique<ManagedEngine>(context_, options);
        engine_->run();
        run_until([this] { return engine_->status().state == EngineState::ready; });
        auto end = end_token(options.model_file);
        ASSERT_TRUE(end) << end.error().message;
        service_ = std::make_unique<signing::SigningService>(*engine_, "m", node_, scoring::TokenId(*end));
        auto loaded = LlamaScorer::load({.model_file = options.model_file, .context = 1024, .sequences = 1});
        ASSERT_TRUE(loaded) << loaded.error().message;
        scorer_ = std::move(*loaded);
    }

    template <typename Condition>
    void run_until(Condition condition) {
        for (int i = 0; i < 24'000 && !condition(); ++i) {
            context_.restart();
            context_.run_for(10ms);
        }
        ASSERT_TRUE(condition());
    }

    Reply ask(const std::string& body) {
        RecordingSink sink;
        auto request = post_of("/v1/chat/completions", body);
        request.id = random_.id<IdempotencyId>();
        Reply reply{.nonce = scoring::nonce_of(request.id)};
        auto started = service_->start(std::move(request), sink);
        EXPECT_TRUE(started);
        sink.exchange = std::move(*started);
        run_until([&] { return sink.over(); });
        EXPECT_EQ(sink.head.status, 200U) << sink.body;
        read(sink, reply);
        return reply;
    }
    void read(const RecordingSink& sink, Reply& reply) {
        auto note = [&](std::string_view text) {
            auto parsed = inference::parse_json(text, 16 << 20);
            if (!parsed) return true;
            for (const char* own : {"__verbose", "tokens"}) reply.other_members |= find(&*parsed, own) != nullptr;
            auto* choices = inference::list_of(find(&*parsed, "choices"));
            if (choices && !choices->empty()) {
                const auto& choice = choices->front();
                reply.other_members |= find(&choice, "logprobs") != nullptr;
                auto* said = find(&choice, "delta") ? find(&choice, "delta") : find(&choice, "message");
                reply.text += inference::text_of(find(said, "content")).value_or("");
            }
            auto hex = inference::text_of(find(find(&*parsed, "planetserve"), "signed_answer"));
            if (hex) reply.answer = scoring::parse_signed_answer(from_hex(*hex).value()).value();
            return true;
        };
        inference::EventStream events;
        if (!inference::is_event_stream(sink.head)) {
            note(sink.body);
            return;
        }
        EXPECT_TRUE(events.feed(sink.body, note));
    }

    // Figures of a signed answer.
    scoring::AnswerScore score(const std::string& body, const Reply& reply) {
        auto request = json::parse(body);
        std::optional<Result<std::vector<scoring::TokenId>>> prompt;
        PromptTokens tokens(context_, *engine_, json::serialize(request.at("messages")),
                            [&](Result<std::vector<scoring::TokenId>> told) { prompt = std::move(told); });
        run_until([&] { return prompt.has_value(); });
        EXPECT_EQ((*prompt)->size(), reply.answer->prompt_tokens);
        PromptAndAnswer text{**prompt, reply.answer->tokens};
        auto positions = scorer_->score({&text, 1}, 128, Feeding::steps);
        EXPECT_TRUE(positions) << positions.error().message;
        auto sampling = signing::sampling_of(request, reply.nonce);
        return scoring::score_answer({.positions = positions->front(), .finish = reply.answer->finish},
                                     sampling.profile.value(), reply.nonce);
    }

    SeededRandom random_{11};
    crypto::Identity node_ = crypto::Identity::generate(random_);
    TemporaryFolder folder_;
    boost::asio::io_context context_;
    std::unique_ptr<ManagedEngine> engine_;
    std::unique_ptr<signing::SigningService> service_;
    std::unique_ptr<LlamaScorer> scorer_;
};

// A prompt that is new to the engine. For a prompt that it knows, it computes the last token alone, which makes noise.
std::string content(std::size_t number) {
    return R"("messages":[{"role":"user","content":")" + std::to_string(number) +
           R"(: tell me three facts about the tides."}])";
}

TEST_F(EngineReplay, AnswersToEveryFormOfRequestReplay) {
    const std::vector<std::string> streams{R"("stream":true,)", "",
                                           R"("stream":true,"stream_options":{"include_usage":true},)"};
    std::size_t asked = 0;
    for (const char* form : {"", R"("temperature":1,)", R"("temperature":0.7,"top_p":0.9,)",
                             R"("top_p":0.95,"min_p":0,"temperature":1.5,)", R"("top_p":0.3,"top_k":100,)",
                             R"("min_p":0.2,"top_p":1,"temperature":2,)", R"("temperature":0,)",
                             R"("seed":5,"temperature":null,"frequency_penalty":0,)"}) {
        const std::string& stream = streams[asked++ % streams.size()];
        const std::string body = "{" + std::string(form) + stream + R"("max_tokens":40,)" + content(asked) + "}";
        Reply reply = ask(body);
        ASSERT_TRUE(reply.answer) << body;
        EXPECT_TRUE(scoring::verify(*reply.answer));
        EXPECT_FALSE(reply.other_members);
        auto scored = score(body, reply);
        EXPECT_EQ(scored.structure, scoring::Structure::sound) << body;
        scoring::Pool pool;
        pool.add(scored);
        EXPECT_EQ(pool.statistics().mismatches, 0U) << body;
        EXPECT_GT(pool.tokens(), 10U);
    }
}

TEST_F(EngineReplay, AStreamTellsTheTokensOfTheWholeReply) {
    for (const char* question :
         {R"(Write a line of many different emojis, such as 👩🏻‍🚀🌌❤️.)", R"(用中文介绍一下你自己。)",
          R"(Write Python with  double  spaces,\n\ttabs and `code`.)", R"(Say hi.)"})
        for (int seed = 1; seed < 3; ++seed) {
            const std::string rest = R"("seed":)" + std::to_string(seed) +
                                     R"(,"cache_prompt":false,"max_tokens":50,"messages":[{"role":"user","content":")" +
                                     question + R"("}]})";
            Reply whole = ask("{" + rest);
            Reply streamed = ask(R"({"stream":true,)" + rest);
            ASSERT_TRUE(whole.answer);
            ASSERT_TRUE(streamed.answer) << whole.text;
            EXPECT_TRUE(whole.text.starts_with(streamed.text));
            auto known = whole.answer->tokens;
            auto told = streamed.answer->tokens;
            EXPECT_LE(known.size() - told.size(), scoring::most_held_back);
            EXPECT_TRUE(std::ranges::equal(told, std::span(known).first(told.size()))) << whole.text;
            EXPECT_EQ(whole.answer->finish, streamed.answer->finish);
            EXPECT_EQ(whole.answer->prompt_tokens, streamed.answer->prompt_tokens);
        }
}

TEST_F(EngineReplay, ChallengesAreSignedAndReplay) {
    scoring::Pool pool;
    for (int i = 0; i < 8; ++i) {
        auto challenge = verification_agent::make_challenge(random_.id<verification_agent::ChallengeSeed>(), "m", {});
        if (challenge.profile.max_tokens == 0) continue;  // its answer may be long
        Reply reply = ask(challenge.body);
        ASSERT_TRUE(reply.answer) << challenge.body;
        auto sampling = signing::sampling_of(json::parse(challenge.body), reply.nonce);
        EXPECT_EQ(sampling.profile, challenge.profile) << challenge.body;
        auto scored = score(challenge.body, reply);
        EXPECT_EQ(scored.structure, scoring::Structure::sound) << challenge.body;
        pool.add(scored);
    }
    EXPECT_EQ(pool.statistics().mismatches, 0U) << "of " << pool.tokens();
    EXPECT_GT(pool.tokens(), 64U);
}

}  // namespace
}  // namespace planetserve::adapters
