// Honest ends of an exchange whose lanes fail now and then.

#include "exchange/exchange_fixture.h"

namespace planetserve::exchange {
namespace {

TEST_F(ExchangeTest, RequestsAndRepliesOfEverySizeArriveWhole) {
    for (std::size_t size : {0ul, 1ul, 16000ul, 16384ul, 100'000ul, 3'000'000ul}) {
        SCOPED_TRACE(size);
        auto what = request(size);
        Bytes body = what.body;
        auto& user = ask(what);
        run_for(200ms);
        ASSERT_TRUE(user.accepted);
        ASSERT_EQ(engine_.calls.size(), 1u);
        auto& call = *engine_.calls[0];
        EXPECT_EQ(call.request.body, body);
        call.sink.on_head({200, {{"content-type", "text/plain"}}});
        for (std::size_t at = 0; at < size; at += 70'000)
            call.sink.on_body(ByteView(body).subspan(at, std::min<std::size_t>(70'000, size - at)));
        call.sink.on_end();
        run_for(2s);
        ASSERT_TRUE(user.ended) << (user.error ? user.error->message : "");
        EXPECT_EQ(user.body, body);
        EXPECT_EQ(user.head->status, 200u);
        EXPECT_TRUE(user.corrupt.empty());
        users_.clear();
        run_for(1h);
        EXPECT_EQ(model_side_->exchanges(), 0u);
        EXPECT_EQ(model_side_->next_timer(), Time::max()) << "nothing is left behind";
    }
}

TEST_F(ExchangeTest, OneLaneMayLoseAllOrLie) {
    for (int kind = 0; kind < 2; ++kind) {
        SCOPED_TRACE(kind);
        users_.clear();
        if (kind == 0) lane_forward = [](std::size_t lane) { return lane != 1; };
        lane_backward = [kind](std::size_t lane, Bytes& payload) {
            if (lane != 1) return true;
            payload.back() ^= 1;
            return kind == 1;
        };
        auto& user = ask(request());
        run_for(200ms);
        ASSERT_EQ(engine_.calls.size(), 1u);
        auto& call = *engine_.calls[0];
        call.sink.on_head({200, {}});
        Bytes text;
        for (int i = 0; i < 200; ++i) {
            Bytes token(20, static_cast<std::uint8_t>(i));
            append(text, token);
            call.sink.on_body(token);
        }
        call.sink.on_end();
        run_for(1s);
        ASSERT_TRUE(user.ended);
        EXPECT_EQ(user.body, text);
        EXPECT_EQ(user.corrupt, kind == 1 ? std::set<std::size_t>{1} : std::set<std::size_t>{});
        run_for(1h);
    }
}

TEST_F(ExchangeTest, TwoLanesLostInMidStreamAreMadeGoodByReplacements) {
    auto& user = ask(request());
    run_for(200ms);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    Bytes text;
    auto say = [&](int count) {
        for (int i = 0; i < count; ++i) {
            Bytes token(30);
            random_.fill(token);
            append(text, token);
            call.sink.on_body(token);
        }
    };
    say(50);
    run_for(100ms);
    lane_backward = [](std::size_t lane, Bytes&) { return lane > 1; };
    lane_forward = [](std::size_t lane) { return lane > 1; };
    say(50);
    run_for(100ms);
    EXPECT_LT(user.body.size(), text.size());
    lane_backward = nullptr;
    lane_forward = nullptr;
    for (std::uint8_t lane : {0, 1}) user.side->on_lane_down(lane, clock_.now());
    for (std::uint8_t lane : {0, 1}) user.side->on_lane_replaced(lane, user.make_lane(lane), clock_.now());
    say(50);
    call.sink.on_end();
    run_for(1s);
    ASSERT_TRUE(user.ended) << (user.error ? user.error->message : "");
    EXPECT_EQ(user.body, text);
}

TEST_F(ExchangeTest, ASlowReaderHoldsTheEngineBack) {
    auto& user = ask(request());
    user.reads = false;
    run_for(200ms);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    Bytes big(3 * inference::reply_window);
    call.sink.on_body(big);
    run_for(5s);
    EXPECT_EQ(user.body.size(), inference::reply_window);
    EXPECT_EQ(call.consumed_bytes, 0u);
    user.side->consumed(user.body.size());
    run_for(5s);
    EXPECT_EQ(user.body.size(), 2 * inference::reply_window);
    EXPECT_EQ(call.consumed_bytes, inference::reply_window);
}

TEST_F(ExchangeTest, LanesMayAllEndAtOneProxyWhereThereAreFewRelays) {
    one_proxy = true;
    auto& user = ask(request(100'000));
    run_for(1s);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    call.sink.on_body(Bytes(2 * inference::reply_window));
    call.sink.on_end();
    run_for(2s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(user.body.size(), 2 * inference::reply_window);
}

TEST_F(ExchangeTest, CancellingReachesTheEngine) {
    auto& user = ask(request());
    run_for(200ms);
    ASSERT_EQ(engine_.calls.size(), 1u);
    user.side->cancel();
    run_for(100ms);
    EXPECT_EQ(engine_.destroyed, 1);
    EXPECT_EQ(model_side_->counters().cancelled, 1u);
    EXPECT_FALSE(user.error);
}

TEST_F(ExchangeTest, AUserThatVanishesIsNoticedByItsClosedHandles) {
    auto& user = ask(request());
    run_for(200ms);
    std::vector<Bytes> handles;
    lane_backward = [&](std::size_t, Bytes& payload) {
        handles.push_back(to_bytes(ByteView(payload).first(ReplyHandle::size)));
        return true;
    };
    engine_.calls.at(0)->sink.on_head({200, {}});
    ASSERT_EQ(handles.size(), 4u);
    for (std::size_t lane = 0; lane < 4; ++lane) {
        NodeId proxy;
        proxy.value[0] = 1;
        proxy.value[1] = static_cast<std::uint8_t>(lane);
        proxy.value[2] = static_cast<std::uint8_t>(lane);
        model_side_->on_reply_closed(proxy, handles[lane], clock_.now());
    }
    run_for(limits_.lanes_deadline + 2s);
    EXPECT_EQ(engine_.destroyed, 1);
    (void)user;
}

TEST_F(ExchangeTest, ARetryWithTheSameIdDoesNotRunTwice) {
    auto what = request();
    auto& first = ask(what);
    run_for(200ms);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    call.sink.on_body(as_bytes("half "));
    auto& second = ask(what);  // while it runs
    run_for(200ms);
    call.sink.on_body(as_bytes("whole"));
    call.sink.on_end();
    run_for(200ms);
    auto& third = ask(what);  // after it ended
    run_for(200ms);
    for (auto* user : {&first, &second, &third}) {
        EXPECT_TRUE(user->ended);
        EXPECT_EQ(as_text(user->body), "half whole");
    }
    EXPECT_EQ(engine_.started, 1);
    EXPECT_EQ(model_side_->counters().joined, 2u);
}

TEST_F(ExchangeTest, AFailedRunIsTriedAgain) {
    auto what = request();
    auto& first = ask(what);
    run_for(200ms);
    engine_.calls.at(0)->sink.on_error({ErrorCode::unavailable, "the engine stopped"});
    run_for(3s);
    ASSERT_TRUE(first.error);
    EXPECT_EQ(first.error->message, "the engine stopped");
    users_.clear();
    run_for(1min);
    ask(what);
    run_for(200ms);
    EXPECT_EQ(engine_.started, 2);
}

TEST_F(ExchangeTest, RefusalsComeBackAsErrors) {
    auto& missing = ask(request(10, "missing"));
    run_for(200ms);
    ASSERT_TRUE(missing.error);
    EXPECT_EQ(missing.error->code, ErrorCode::not_found);
    auto& big = ask(request((16 << 20) + 1));
    run_for(1s);
    ASSERT_TRUE(big.error);
    EXPECT_EQ(big.error->code, ErrorCode::invalid_argument);
}

TEST_F(ExchangeTest, SilenceIsNoticedAndHeartbeatsAreNotSilence) {
    auto& patient = ask(request());
    run_for(60s);
    EXPECT_FALSE(patient.error) << patient.error->message;
    lane_backward = [](std::size_t, Bytes&) { return false; };
    run_for(21s);
    ASSERT_TRUE(patient.error);
    EXPECT_EQ(patient.error->code, ErrorCode::timed_out);
    auto& unheard = ask(request());
    run_for(6s);
    ASSERT_TRUE(unheard.error);
    EXPECT_EQ(unheard.error->code, ErrorCode::unavailable);
}

TEST_F(ExchangeTest, RubbishOpensNothing) {
    for (int i = 0; i < 1000; ++i) {
        Bytes bytes(random_.below(200));
        random_.fill(bytes);
        if (bytes.size() > 2) bytes[0] = 1, bytes[1] = 1;
        model_side_->on_clove(NodeId{}, bytes, clock_.now());
    }
    EXPECT_EQ(engine_.started, 0);
    EXPECT_EQ(model_side_->exchanges(), 0u);
}

}  // namespace
}  // namespace planetserve::exchange
