#include "inference/model_router.h"

#include <gtest/gtest.h>

#include <deque>
#include <set>

#include "base/random.h"

namespace planetserve::inference {
namespace {

class VirtualClock final : public Clock {
public:
    Time now() const override { return time; }
    UnixTime unix_now() const override { return {}; }
    Time time{};
};

// Functions to run later, in order.
struct Later {
    std::deque<std::function<void()>> waiting;
    Defer defer() {
        return [this](std::function<void()> function) { waiting.push_back(std::move(function)); };
    }
    void run() {
        while (!waiting.empty()) {
            auto function = std::move(waiting.front());
            waiting.pop_front();
            function();
        }
    }
};

// An engine that does what the test says.
class ScriptedEngine final : public Service {
public:
    struct Running final : Exchange {
        Running(ScriptedEngine& of, ReplySink& to, Request what) : engine(of), sink(&to), request(std::move(what)) {
            engine.running.push_back(this);
        }
        ~Running() override { std::erase(engine.running, this); }
        void consumed(std::size_t bytes) override { engine.consumed += bytes; }
        ScriptedEngine& engine;
        ReplySink* sink;
        Request request;
    };

    Result<std::unique_ptr<Exchange>> start(Request request, ReplySink& sink) override {
        if (refusal) return std::unexpected(*refusal);
        return std::make_unique<Running>(*this, sink, std::move(request));
    }
    void answer_first(std::string_view text) {
        ReplySink* sink = running.front()->sink;
        sink->on_head({200, {}});
        sink->on_body(as_bytes(text));
        sink->on_end();
    }
    std::string first_body() const { return to_string(running.at(0)->request.body); }

    std::vector<Running*> running;
    std::optional<Error> refusal;
    std::size_t consumed = 0;
};

struct User final : ReplySink {
    void on_head(const ReplyHead& told) override { head = told; }
    void on_body(ByteView bytes) override { body += as_text(bytes); }
    void on_end() override {
        ended = true;
        if (hang_up_at_end) exchange.reset();
    }
    void on_error(const Error& told) override { error = told; }
    std::string header(std::string_view name) const {
        for (const auto& [key, value] : head.headers)
            if (key == name) return value;
        return {};
    }

    std::unique_ptr<Exchange> exchange;
    ReplyHead head{0, {}};
    std::string body;
    std::optional<Error> error;
    bool ended = false;
    bool hang_up_at_end = false;
};

struct RouterTest : testing::Test {
    RouterTest() {
        router.add("small", engine, {.capacity = 2, .queue = 2, .longest_wait = 30s, .first_estimate = 2s});
    }
    Status ask(User& user, std::string body = "x", std::string model = "small", NodeId via = {}) {
        Request request;
        request.via = via;
        request.model = std::move(model);
        request.body = to_bytes(body);
        auto exchange = router.start(std::move(request), user);
        if (!exchange) return std::unexpected(exchange.error());
        user.exchange = std::move(*exchange);
        return {};
    }
    LoadStats load() const { return router.stats().all; }

    VirtualClock clock;
    Later later;
    ScriptedEngine engine;
    ModelRouter router{later.defer(), clock};
    User users[6];
};

TEST_F(RouterTest, AnUnknownModelIsRefusedNamingThoseThereAre) {
    ScriptedEngine other;
    router.add("large", other, {});
    Status asked = ask(users[0], "x", "medium");
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().code, ErrorCode::not_found);
    EXPECT_NE(asked.error().message.find("medium"), std::string::npos);
    EXPECT_NE(asked.error().message.find("small, large"), std::string::npos);
    EXPECT_THROW(router.add("small", other, {}), std::invalid_argument);
}

TEST_F(RouterTest, PassesTheReplyAndTheWindowThrough) {
    ASSERT_TRUE(ask(users[0], "question"));
    EXPECT_EQ(engine.first_body(), "question");
    users[0].exchange->consumed(17);
    EXPECT_EQ(engine.consumed, 17U);
    engine.answer_first("answer");
    EXPECT_EQ(users[0].head.status, 200U);
    EXPECT_EQ(users[0].body, "answer");
    EXPECT_TRUE(users[0].ended);
    EXPECT_EQ(load().running, 0U);
    EXPECT_EQ(load().served, 1U);
}

TEST_F(RouterTest, QueuesBeyondCapacityAndStartsInOrder) {
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(ask(users[i], std::to_string(i)));
    later.run();
    EXPECT_EQ(engine.running.size(), 2U);
    EXPECT_EQ(load().queued, 2U);
    engine.answer_first("a");
    EXPECT_EQ(engine.running.size(), 1U);  // the next starts later, not inside the callback
    later.run();
    ASSERT_EQ(engine.running.size(), 2U);
    EXPECT_EQ(to_string(engine.running[1]->request.body), "2");
    engine.answer_first("b");
    later.run();
    EXPECT_EQ(to_string(engine.running[1]->request.body), "3");
    EXPECT_EQ(load().queued, 0U);
}

TEST_F(RouterTest, ANewcomerDoesNotOvertakeThoseWhoWait) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(users[i], std::to_string(i)));
    engine.answer_first("a");
    ASSERT_TRUE(ask(users[3], "3"));  // a place is free, but 2 was first
    later.run();
    ASSERT_EQ(engine.running.size(), 2U);
    EXPECT_EQ(to_string(engine.running[1]->request.body), "2");
    EXPECT_EQ(load().queued, 1U);
}

TEST_F(RouterTest, AnswersOverloadedAfterStartReturned) {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(users[i]));
    EXPECT_EQ(users[4].head.status, 0U);
    later.run();
    EXPECT_EQ(users[4].head.status, 503U);
    EXPECT_EQ(users[4].header("content-type"), "application/json");
    EXPECT_EQ(users[4].header("retry-after"), "3");  // (2 waiting + 1) * 2 s / 2 places
    EXPECT_EQ(users[4].body.find(R"({"error":{"message":")"), 0U);
    EXPECT_NE(users[4].body.find(R"("type":"server_error","param":null,"code":"overloaded"}})"), std::string::npos);
    EXPECT_TRUE(users[4].ended);
    EXPECT_EQ(load().refused, 1U);
    EXPECT_EQ(load().running, 2U);
    EXPECT_EQ(load().queued, 2U);
}

TEST_F(RouterTest, HangingUpOnARefusalIsHeard) {
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(ask(users[i]));
    users[4].exchange.reset();
    later.run();
    EXPECT_EQ(users[4].head.status, 0U);
}

TEST_F(RouterTest, CancellingAQueuedRequestFreesItsPlaceInTheQueue) {
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(ask(users[i], std::to_string(i)));
    users[2].exchange.reset();
    EXPECT_EQ(load().queued, 1U);
    engine.answer_first("a");
    later.run();
    EXPECT_EQ(to_string(engine.running[1]->request.body), "3");
    EXPECT_FALSE(users[2].ended);
}

TEST_F(RouterTest, CancellingARunningRequestCancelsAtTheEngineAndStartsTheNext) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(users[i], std::to_string(i)));
    users[0].exchange.reset();
    EXPECT_EQ(engine.running.size(), 1U);
    later.run();
    ASSERT_EQ(engine.running.size(), 2U);
    EXPECT_EQ(to_string(engine.running[1]->request.body), "2");
    EXPECT_FALSE(load().average_service);  // what was given up says nothing of how long a reply takes
}

TEST_F(RouterTest, ASinkMayHangUpInsideItsLastCallback) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(users[i]));
    users[0].hang_up_at_end = true;
    engine.answer_first("a");
    later.run();
    EXPECT_TRUE(users[0].ended);
    EXPECT_EQ(load().running, 2U);
    EXPECT_EQ(load().queued, 0U);
}

TEST_F(RouterTest, TurnsAwayWhoWaitedTooLong) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(users[i]));
    clock.time += 29s;
    router.on_timer();
    later.run();
    EXPECT_EQ(users[2].head.status, 0U);
    clock.time += 1s;
    router.on_timer();
    later.run();
    EXPECT_EQ(users[2].head.status, 503U);
    EXPECT_TRUE(users[2].ended);
    EXPECT_EQ(load().queued, 0U);
    EXPECT_EQ(load().running, 2U);
}

TEST_F(RouterTest, AFailureAtTheEngineGivesThePlaceBack) {
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(ask(users[i], std::to_string(i)));
    engine.running.front()->sink->on_error({ErrorCode::unavailable, "gone"});
    EXPECT_EQ(users[0].error->message, "gone");
    engine.refusal = Error{ErrorCode::unavailable, "starting again"};
    later.run();  // the queued one is started, and refused
    ASSERT_TRUE(users[2].error);
    EXPECT_EQ(users[2].error->message, "starting again");
    Status asked = ask(users[3]);
    ASSERT_FALSE(asked);
    EXPECT_EQ(asked.error().message, "starting again");
    EXPECT_EQ(load().running, 1U);
}

TEST_F(RouterTest, AveragesServiceTimes) {
    for (Duration taken : {8s, 16s}) {
        ASSERT_TRUE(ask(users[0]));
        clock.time += taken;
        engine.answer_first("a");
    }
    EXPECT_EQ(router.stats().models.at(0).first, "small");
    EXPECT_EQ(load().average_service, Duration(9s));  // 7/8 * 8 + 1/8 * 16
}

// Before, 36 requests by way of one proxy kept all others out for as long as they ran.
TEST_F(RouterTest, SomebodyWhoFillsTheQueueGivesWayToOthers) {
    const NodeId hostile{{1}}, honest{{2}};
    for (int i = 0; i < 4; ++i) ask(users[i], "flood", "small", hostile);
    later.run();
    EXPECT_EQ(load().queued, 2U);
    ask(users[4], "honest", "small", honest);
    later.run();
    EXPECT_EQ(users[3].head.status, 503U) << "the newest of the flood";
    EXPECT_NE(users[3].header("retry-after"), "");
    engine.answer_first("a");
    later.run();
    EXPECT_EQ(to_string(engine.running.back()->request.body), "honest");
    EXPECT_EQ(load().running, 2U);
    EXPECT_EQ(load().queued, 1U);
}

TEST_F(RouterTest, ARequestThatRunsForLongGivesItsPlaceToANeighbourWithFewer) {
    const NodeId hostile{{1}}, honest{{2}};
    ask(users[0], "a", "small", hostile);
    ask(users[1], "b", "small", hostile);
    clock.time += 16min;
    router.on_timer();
    EXPECT_FALSE(users[0].error) << "nobody waits";
    ask(users[2], "c", "small", honest);
    router.on_timer();
    later.run();
    ASSERT_TRUE(users[0].error);
    EXPECT_EQ(users[0].error->code, ErrorCode::unavailable) << "its user resumes it elsewhere";
    EXPECT_FALSE(users[1].error) << "one place is enough";
    EXPECT_EQ(to_string(engine.running.back()->request.body), "c");
    EXPECT_EQ(load().running, 2U);
}

}  // namespace
}  // namespace planetserve::inference
