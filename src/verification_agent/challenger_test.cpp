#include "verification_agent/challenger.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <set>

#include "base/random.h"
#include "simulator/event_queue.h"

namespace planetserve::verification_agent {
namespace {

namespace json = boost::json;

// Model nodes that answer as a test says.
struct AnsweringOverlay final : inference::Service {
    struct Handle final : inference::Exchange {
        explicit Handle(AnsweringOverlay& of) : overlay(of) { ++overlay.open; }
        ~Handle() override { --overlay.open; }
        void consumed(std::size_t) override {}
        AnsweringOverlay& overlay;
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        if (refuse) return fail(ErrorCode::unavailable, "no paths");
        asked.emplace_back(std::move(request), &sink);
        return std::make_unique<Handle>(*this);
    }
    std::vector<std::pair<inference::Request, inference::ReplySink*>> asked;
    bool refuse = false;
    int open = 0;
};

class Challenging : public testing::Test {
protected:
    ChallengeTask task(Duration after = {}) {
        return {node_.id(),
                "m",
                0,
                make_challenge(random_.id<ChallengeSeed>(), "m", {}),
                random_.id<IdempotencyId>(),
                clock_.now() + after,
                clock_.now() + after + 60s,
                30s};
    }
    void reply(const std::string& body, unsigned status = 200) {
        auto [request, sink] = overlay_.asked.back();
        sink->on_head({status, {{"content-type", "application/json"}}});
        sink->on_body(as_bytes(body));
        sink->on_end();
        challenger_.on_timer(clock_.read());
    }
    scoring::SignedAnswer answer() const {
        const inference::Request& request = overlay_.asked.back().first;
        scoring::SignedAnswer answer{.model = request.model,
                                     .nonce = scoring::nonce_of(request.id),
                                     .request = crypto::sha256(request.body),
                                     .tokens = {scoring::TokenId(1)}};
        return answer;
    }
    void reply(scoring::SignedAnswer answer, const crypto::Identity& by) {
        scoring::sign(answer, by);
        reply(json::serialize(
            json::object{{"planetserve", json::object{{"signed_answer", to_hex(scoring::serialise(answer))}}}}));
    }
    const ChallengeResult& last() { return results_.back(); }

    SeededRandom random_{1};
    simulator::EventQueue clock_;
    crypto::Identity node_ = crypto::Identity::generate(random_);
    crypto::Identity other_ = crypto::Identity::generate(random_);
    AnsweringOverlay overlay_;
    std::vector<ChallengeResult> results_;
    Challenger challenger_{overlay_, [this](ChallengeResult result) { results_.push_back(std::move(result)); }};
};

TEST_F(Challenging, AsksWhenItIsTimeAndTakesASignedAnswer) {
    ASSERT_TRUE(challenger_.add(task(10s)));
    challenger_.on_timer(clock_.read());
    EXPECT_TRUE(overlay_.asked.empty());
    EXPECT_EQ(challenger_.next_timer(), clock_.now() + 10s);
    clock_.run_for(10s);
    challenger_.on_timer(clock_.read());
    ASSERT_EQ(overlay_.asked.size(), 1u);
    const auto& request = overlay_.asked.back().first;
    EXPECT_EQ(request.node, node_.id());
    EXPECT_EQ(request.path, "/v1/chat/completions");
    EXPECT_FALSE(request.continues) << "no user's first question has it";
    reply(answer(), node_);
    ASSERT_EQ(results_.size(), 1u);
    EXPECT_EQ(last().outcome, ChallengeOutcome::answered) << last().why;
    EXPECT_EQ(last().answer->node, node_.id());
    EXPECT_EQ(overlay_.open, 0);
    EXPECT_EQ(challenger_.next_timer(), Time::max());
}

TEST_F(Challenging, AnAnswerSpeaksOfWhoSignedIt) {
    ASSERT_TRUE(challenger_.add(task()));
    challenger_.on_timer(clock_.read());
    reply(answer(), other_);
    EXPECT_EQ(last().outcome, ChallengeOutcome::answered);
    EXPECT_EQ(last().task.node, node_.id());
    EXPECT_EQ(last().answer->node, other_.id());
}

TEST_F(Challenging, AnotherRequestsAnswerIsNone) {
    for (int wrong = 0; wrong < 4; ++wrong) {
        ASSERT_TRUE(challenger_.add(task()));
        challenger_.on_timer(clock_.read());
        auto replayed = answer();
        if (wrong == 0) replayed.nonce.value[0] ^= 1;
        if (wrong == 1) replayed.request[0] ^= 1;
        if (wrong == 2) replayed.model = "larger";
        if (wrong == 3)
            reply(R"({"choices":[]})");
        else
            reply(replayed, node_);
        EXPECT_EQ(last().outcome, ChallengeOutcome::not_signed) << wrong;
        EXPECT_FALSE(last().answer);
    }
}

TEST_F(Challenging, NoAnswerIsSaidToBeNone) {
    ASSERT_TRUE(challenger_.add(task()));
    challenger_.on_timer(clock_.read());
    reply("{}", 503);
    EXPECT_EQ(last().outcome, ChallengeOutcome::no_answer);
    ASSERT_TRUE(challenger_.add(task()));
    challenger_.on_timer(clock_.read());
    clock_.run_for(60s);
    challenger_.on_timer(clock_.read());
    EXPECT_EQ(results_.size(), 2u);
    EXPECT_EQ(last().outcome, ChallengeOutcome::no_answer);
    overlay_.refuse = true;
    ASSERT_TRUE(challenger_.add(task()));
    challenger_.on_timer(clock_.read());
    challenger_.on_timer(clock_.read());
    EXPECT_EQ(results_.size(), 3u);
    EXPECT_EQ(last().why, "no paths");
    EXPECT_EQ(overlay_.open, 0);
}

// A plain reply comes when it is whole: with no limit, or too little time for the limit, silence says nothing.
TEST_F(Challenging, SilenceCountsOnlyWhereThereWasTime) {
    std::size_t limited = 0;
    for (int i = 0; i < 40; ++i) {
        auto asked = task();
        const auto needed = time_to_answer(asked.challenge);
        const bool enough = i % 2 == 0;
        if (needed) asked.until = asked.at + *needed - (enough ? 0us : 1us);
        asked.least = {};
        ASSERT_TRUE(challenger_.add(asked));
        challenger_.on_timer(clock_.read());
        clock_.run_for(asked.until - clock_.now());
        challenger_.on_timer(clock_.read());
        ASSERT_EQ(results_.size(), static_cast<std::size_t>(i + 1));
        EXPECT_EQ(last().outcome, needed && enough ? ChallengeOutcome::no_answer : ChallengeOutcome::no_verdict);
        limited += needed ? 1 : 0;
    }
    EXPECT_GT(limited, 20u);
    EXPECT_LT(limited, 40u);
}

TEST_F(Challenging, WhatIsLeftTooLittleTimeIsNotAskedNorToldOf) {
    ASSERT_TRUE(challenger_.add(task()));
    ASSERT_TRUE(challenger_.add(task()));
    challenger_.on_timer(clock_.read());
    ASSERT_EQ(overlay_.asked.size(), 1u) << "one at a time, as there are few";
    clock_.run_for(31s);
    reply("{}", 503);
    challenger_.on_timer(clock_.read());
    EXPECT_EQ(overlay_.asked.size(), 1u);
    EXPECT_EQ(results_.size(), 1u);
    EXPECT_EQ(challenger_.tasks(), 0u);
}

TEST_F(Challenging, SaysWhereTheAnswerIsWanted) {
    auto own = task();
    own.answerer = Answerer::node_itself;
    ASSERT_TRUE(challenger_.add(own));
    challenger_.on_timer(clock_.read());
    EXPECT_TRUE(overlay_.asked.back().first.continues);
}

TEST_F(Challenging, AsksANodeOneThingAtATime) {
    for (int i = 0; i < 4; ++i) {
        ASSERT_TRUE(challenger_.add(task()));
        ASSERT_TRUE(challenger_.add(task(1s)));
        challenger_.on_timer(clock_.read());
    }
    auto elsewhere = task(1s);
    elsewhere.node = other_.id();
    ASSERT_TRUE(challenger_.add(elsewhere));
    clock_.run_for(1s);
    challenger_.on_timer(clock_.read());
    ASSERT_EQ(overlay_.asked.size(), 2u);
    EXPECT_EQ(overlay_.asked[0].first.node, node_.id());
    EXPECT_EQ(overlay_.asked[1].first.node, other_.id());
    overlay_.asked.front().second->on_error({ErrorCode::unavailable, "gone"});
    EXPECT_LE(challenger_.next_timer(), clock_.now());
    challenger_.on_timer(clock_.read());
    EXPECT_EQ(overlay_.asked.size(), 3u);
    EXPECT_EQ(overlay_.asked[2].first.node, node_.id());
}

TEST_F(Challenging, IsBoundedAndForgets) {
    for (std::size_t i = 0; i < 40; ++i) {
        auto one = task();
        one.node = random_.id<NodeId>();
        ASSERT_TRUE(challenger_.add(one));
    }
    challenger_.on_timer(clock_.read());
    EXPECT_EQ(overlay_.asked.size(), 16u);
    challenger_.clear();
    EXPECT_EQ(overlay_.open, 0);
    EXPECT_TRUE(results_.empty());
    for (std::size_t i = 0; i < Challenger::limits.tasks; ++i) ASSERT_TRUE(challenger_.add(task(1h)));
    EXPECT_EQ(challenger_.add(task()).error().code, ErrorCode::exhausted);
}

TEST_F(Challenging, AStreamIsSignedInOneOfItsEvents) {
    for (int kind = 0; kind < 4; ++kind) {
        ASSERT_TRUE(challenger_.add(task()));
        challenger_.on_timer(clock_.read());
        auto signed_answer = answer();
        scoring::sign(signed_answer, node_);
        std::string end =
            R"({"choices":[],"planetserve":{"signed_answer":")" + to_hex(scoring::serialise(signed_answer)) + R"("}})";
        if (kind == 1) end = R"({"choices":[]})";
        auto sink = overlay_.asked.back().second;
        std::vector<std::pair<std::string, std::string>> headers{{"content-type", "text/event-stream"}};
        if (kind == 2) headers.emplace_back("x-planetserve-model-node", other_.id().hex());
        if (kind == 2) end = "{}";
        sink->on_head({200, headers});
        for (int i = 0; i < 3000; ++i)
            sink->on_body(as_bytes("data: {\"choices\":[]," + std::string(400, ' ') + "}\n\n"));
        if (kind == 3)
            sink->on_body(Bytes(2 << 20, 'x'));
        else
            sink->on_body(as_bytes("data: " + end + "\n\ndata: [DONE]\n\n"));
        sink->on_end();
        challenger_.on_timer(clock_.read());
        constexpr ChallengeOutcome expected[] = {ChallengeOutcome::answered, ChallengeOutcome::no_verdict,
                                                 ChallengeOutcome::no_verdict, ChallengeOutcome::not_signed};
        EXPECT_EQ(last().outcome, expected[kind]) << kind << last().why;
    }
}

TEST_F(Challenging, AnAnswerThatBreaksOffIsNotSigned) {
    for (bool began : {true, false}) {
        ASSERT_TRUE(challenger_.add(task()));
        challenger_.on_timer(clock_.read());
        auto sink = overlay_.asked.back().second;
        if (began) sink->on_head({200, {{"content-type", "text/event-stream"}}});
        if (began) sink->on_body(as_bytes("data: {}\n\n"));
        sink->on_error({ErrorCode::unavailable, "gone"});
        challenger_.on_timer(clock_.read());
        EXPECT_EQ(last().outcome, began ? ChallengeOutcome::not_signed : ChallengeOutcome::no_answer);
    }
}

// In the shares that docs/protocols/verification.md names.
TEST(Challenge, TakesTheFormsOfUsersRequests) {
    SeededRandom random(3);
    int streamed = 0;
    int plain = 0;
    int unlimited = 0;
    int bare = 0;
    constexpr int count = 4000;
    for (int i = 0; i < count; ++i) {
        auto challenge = make_challenge(random.id<ChallengeSeed>(), "m", {});
        auto body = json::parse(challenge.body).as_object();
        const auto* temperature = body.if_contains("temperature");
        EXPECT_EQ(body.contains("stream"), challenge.streamed);
        EXPECT_EQ(challenge.profile.temperature, temperature ? temperature->to_number<float>() : 0.8F);
        EXPECT_EQ(challenge.profile.top_p, body.contains("top_p") ? body.at("top_p").to_number<float>() : 0.95F);
        EXPECT_EQ(challenge.profile.min_p, body.contains("min_p") ? body.at("min_p").to_number<float>() : 0.05F);
        EXPECT_EQ(challenge.profile.top_k, 40U);
        EXPECT_FALSE(challenge.profile.seed);
        streamed += challenge.streamed;
        plain += temperature == nullptr;
        unlimited += challenge.profile.max_tokens == 0;
        bare += challenge.streamed && temperature == nullptr && challenge.profile.max_tokens == 0;
        const bool renamed = body.contains("max_completion_tokens");
        const auto* limit = body.if_contains(renamed ? "max_completion_tokens" : "max_tokens");
        EXPECT_EQ(limit ? limit->as_int64() : 0, challenge.profile.max_tokens);
    }
    EXPECT_NEAR(streamed, count / 2.0, 200);
    EXPECT_NEAR(plain, 3 * count / 8.0, 200);
    EXPECT_NEAR(unlimited, 0.27 * count, 200);
    EXPECT_GT(bare, count / 25);
}

TEST(Challenge, IsTheSameForASeedAndSeldomForAnother) {
    SeededRandom random(2);
    std::set<std::string> bodies;
    for (int i = 0; i < 1000; ++i) {
        auto seed = random.id<ChallengeSeed>();
        auto challenge = make_challenge(seed, "m", {});
        EXPECT_EQ(challenge.body, make_challenge(seed, "m", {}).body);
        EXPECT_TRUE(scoring::scorable(challenge.profile));
        auto body = json::parse(challenge.body);
        EXPECT_EQ(json::serialize(body.at("messages")), challenge.messages);
        EXPECT_EQ(challenge.messages.find("{}"), std::string::npos);
        bodies.insert(challenge.body);
    }
    EXPECT_GT(bodies.size(), 950u);
}

}  // namespace
}  // namespace planetserve::verification_agent
