#include "inference/request_gate.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <deque>

#include "inference/recording_sink_fixture.h"
#include "inference/small_call.h"

namespace planetserve::inference {
namespace {

struct NoExchange final : Exchange {
    void consumed(std::size_t) override {}
};

struct CountingEngine final : Service {
    Result<std::unique_ptr<Exchange>> start(Request request, ReplySink&) override {
        asked.push_back(std::move(request));
        return std::make_unique<NoExchange>();
    }
    std::vector<Request> asked;
};

class Gate : public testing::Test {
protected:
    Gate() { gate_.add("m", {.context = 2048}); }

    void ask(std::string path, std::string_view body) {
        auto request = post_of(std::move(path), body);
        request.model = "m";
        auto started = gate_.start(std::move(request), sink_);
        ASSERT_TRUE(started);
        sink_.exchange = std::move(*started);
    }
    void run_later() {
        for (; !later_.empty(); later_.pop_front()) later_.front()();
    }

    std::deque<std::function<void()>> later_;
    CountingEngine engine_;
    RequestGate gate_{engine_, {}, [this](std::function<void()> run) { later_.push_back(std::move(run)); }};
    RecordingSink sink_;
};

TEST_F(Gate, WhatIsRefusedNeverReachesTheEngine) {
    ask("/slots", "{}");
    EXPECT_EQ(sink_.heads, 0);  // not before start() returned
    run_later();
    EXPECT_EQ(sink_.head.status, 404U);
    EXPECT_NE(sink_.body.find("unknown_url"), std::string::npos);
    EXPECT_TRUE(sink_.ended);
    EXPECT_TRUE(engine_.asked.empty());
    EXPECT_EQ(gate_.refused(), 1U);
}

TEST_F(Gate, TheRestPassesAsJsonAndWithoutItsQuery) {
    ask("/v1/messages?beta=true", R"({"model":"m","messages":[{"role":"user","content":"Hi"}]})");
    run_later();
    ASSERT_EQ(engine_.asked.size(), 1U);
    EXPECT_EQ(engine_.asked[0].path, "/v1/messages");
    EXPECT_EQ(engine_.asked[0].content_type, "application/json");
}

// A strict server refuses a body with two of them.
TEST_F(Gate, TheModelThatAnUpstreamServesIsWrittenOnce) {
    gate_.add("m", {.kind = EngineTraits::Kind::other});
    ask("/v1/completions", R"({"model":"other","prompt":"x","model":"m"} )");
    ASSERT_EQ(engine_.asked.size(), 1U);
    EXPECT_EQ(to_string(engine_.asked[0].body), R"({"model":"m","prompt":"x"})");
    ask("/v1/completions", R"({"model":"m","prompt":"x","Model":"dear"})");
    EXPECT_EQ(engine_.asked.size(), 1U);
    // llama-server's answer is signed over the body as it came, and it serves one model.
    gate_.add("m", {.context = 2048});
    ask("/v1/completions", R"({"model":"m","prompt":"x","mine":1})");
    ASSERT_EQ(engine_.asked.size(), 2U);
    EXPECT_EQ(to_string(engine_.asked[1].body), R"({"model":"m","prompt":"x","mine":1})");
}

// Servers that take capitals for small letters, or know members that cost the operator, would have obeyed these.
TEST_F(Gate, AnUpstreamGetsMembersThatAreKnown) {
    gate_.add("m", {.kind = EngineTraits::Kind::other});
    ask("/v1/completions",
        R"({"model":"m","prompt":"x","N":1000,"Tools":[{}],"service_tier":"priority","temperature":0.5,"seed":18446744073709551615,)"
        R"("metadata":{"a":null},"user":"u","max_tokens":3})");
    ASSERT_EQ(engine_.asked.size(), 1U);
    EXPECT_EQ(boost::json::parse(to_string(engine_.asked[0].body)),
              boost::json::parse(R"({"model":"m","prompt":"x","temperature":0.5,"seed":18446744073709551615,)"
                                 R"("metadata":{"a":null},"user":"u","max_tokens":3})"));
}

TEST_F(Gate, ASinkMayLeaveAtAnyCall) {
    sink_.hang_up_at_head = true;
    ask("/slots", "{}");
    run_later();
    EXPECT_EQ(sink_.heads, 1);
    EXPECT_FALSE(sink_.ended);
    ask("/slots", "{}");
    sink_.exchange.reset();
    run_later();
    EXPECT_EQ(sink_.heads, 1);
}

}  // namespace
}  // namespace planetserve::inference
