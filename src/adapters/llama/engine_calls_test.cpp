#include "adapters/llama/engine_calls.h"

#include <gtest/gtest.h>

#include "inference/recording_sink_fixture.h"
#include "inference/small_call.h"

namespace planetserve::adapters {
namespace {

using inference::post_of;
using inference::RecordingSink;

// An engine that keeps the sinks of its requests, to answer them as a test likes.
struct HeldEngine final : inference::Service {
    struct Held final : inference::Exchange {
        explicit Held(int& count) : open(count) { ++open; }
        ~Held() override { --open; }
        void consumed(std::size_t) override {}
        int& open;
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request, inference::ReplySink& sink) override {
        sinks.push_back(&sink);
        return std::make_unique<Held>(open);
    }
    std::vector<inference::ReplySink*> sinks;
    int open = 0;
};

struct SteppedClock final : Clock {
    Time now() const override { return time; }
    UnixTime unix_now() const override { return {}; }
    Time time{1h};
};

struct EngineCallsTest : testing::Test {
    std::unique_ptr<RecordingSink> ask(const std::string& body) {
        auto sink = std::make_unique<RecordingSink>();
        auto started = calls->start(post_of("/v1/completions", body), *sink);
        if (started)
            sink->exchange = std::move(*started);
        else
            sink->error = started.error();
        return sink;
    }

    HeldEngine engine;
    SteppedClock clock;
    std::vector<std::string> notes;
    std::unique_ptr<EngineCalls> calls =
        std::make_unique<EngineCalls>(engine, "m", clock, [this](const std::string& note) { notes.push_back(note); });
};

TEST_F(EngineCallsTest, AnEndFailsAllOfThemAndTheyAreGone) {
    auto first = ask("1"), second = ask("2");
    EXPECT_TRUE(calls->at_work());
    calls->release(EngineEnd::crashed);
    for (const auto* sink : {first.get(), second.get()}) {
        ASSERT_TRUE(sink->error);
        EXPECT_EQ(sink->error->code, ErrorCode::internal);
    }
    EXPECT_TRUE(calls->idle());
    EXPECT_EQ(engine.open, 0);
    EXPECT_FALSE(ask("1")->error) << "either may have been a bystander";
}

TEST_F(EngineCallsTest, AnEndThatTheNodeOrderedIsNobodysFault) {
    auto sink = ask("1");
    calls->release(EngineEnd::ordered);
    ASSERT_TRUE(sink->error);
    EXPECT_EQ(sink->error->code, ErrorCode::unavailable);
    EXPECT_FALSE(ask("1")->error);
}

// The break of a connection is seen before the engine's end is.
TEST_F(EngineCallsTest, ARequestWhoseConnectionBrokeJustBeforeTheEndWasThere) {
    auto sink = ask("1");
    engine.sinks[0]->on_error({ErrorCode::internal, "/run/secret.sock: closed"});
    EXPECT_EQ(sink->error->message, "the engine of m ended while it had the request");
    ASSERT_EQ(notes.size(), 1U);
    EXPECT_NE(notes[0].find("secret"), std::string::npos);
    EXPECT_TRUE(calls->idle());
    EXPECT_TRUE(calls->at_work());
    calls->release(EngineEnd::crashed);
    auto again = ask("1");
    ASSERT_TRUE(again->error);
    EXPECT_EQ(again->error->code, ErrorCode::invalid_argument);
    EXPECT_NE(again->error->message.find("engine_failed"), std::string::npos);
    clock.time += 10min;
    EXPECT_FALSE(ask("1")->error);
}

TEST_F(EngineCallsTest, ABreakLongBeforeTheEndSaysNothingOfIt) {
    auto sink = ask("1");
    engine.sinks[0]->on_error({ErrorCode::internal, "closed"});
    clock.time += 3s;
    EXPECT_FALSE(calls->at_work());
    calls->release(EngineEnd::crashed);
    EXPECT_FALSE(ask("1")->error);
}

TEST_F(EngineCallsTest, WhoLeavesIsToldNothingAndOneThatHadNoByteLeavesADoubt) {
    auto sink = ask("1");
    sink->exchange.reset();
    EXPECT_EQ(engine.open, 0);
    EXPECT_TRUE(calls->idle());
    EXPECT_TRUE(calls->take_unanswered());
    EXPECT_FALSE(calls->take_unanswered());
    auto answered = ask("2");
    engine.sinks[1]->on_head({200, {}});
    EXPECT_EQ(calls->progressed_at(), clock.time);
    answered->exchange.reset();
    EXPECT_FALSE(calls->take_unanswered());
}

TEST_F(EngineCallsTest, MayGoBeforeItsCalls) {
    auto sink = ask("1");
    calls.reset();
    EXPECT_EQ(engine.open, 0);
    EXPECT_FALSE(sink->over());
    sink->exchange.reset();
}

}  // namespace
}  // namespace planetserve::adapters
