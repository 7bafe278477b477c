// What hostile proxies and model nodes may not achieve, and users that do not read.

#include "exchange/hostile_fixture.h"

namespace planetserve::exchange {
namespace {

TEST_F(HostileTest, ANodeThatLeftTheListSinceItsFirstCloveMayStillAnswer) {
    lane_forward = [](std::size_t) { return false; };
    auto& user = ask(request());
    OtherNode other(random_, *user.exchange);
    int looked_up = 0;
    find_onion_key = [&](const NodeId&) -> std::optional<crypto::AgreementPublicKey> {
        return looked_up++ == 0 ? std::optional(other.onion.public_key()) : std::nullopt;
    };
    const auto& cloves = other.replies->add(record_of(ItemKind::accepted), random_);
    for (std::size_t lane = 0; lane < 3; ++lane)
        user.side->on_clove(lane, seal_envelope(RecordKind::reply, other.id.bytes(), cloves[lane]), clock_.now());
    EXPECT_TRUE(user.accepted);
    EXPECT_EQ(user.side->serving_node(), other.id);
    EXPECT_EQ(looked_up, 1);
}

TEST_F(HostileTest, OldRepeatedAndForgedClovesAreSilence) {
    Bytes old;
    lane_backward = [&](std::size_t lane, Bytes& payload) {
        if (lane == 0) old = to_bytes(ByteView(payload).subspan(ReplyHandle::size));
        return true;
    };
    auto& user = ask(request());
    run_for(1s);
    ASSERT_TRUE(user.accepted);
    lane_backward = [](std::size_t, Bytes&) { return false; };
    for (std::uint64_t second = 0; second < 21; ++second) {
        user.side->on_clove(0, old, clock_.now());
        Bytes clove = forged(RecordKind::reply, 1 + second, 0);
        user.side->on_clove(0, seal_envelope(RecordKind::reply, model_.bytes(), clove), clock_.now());
        run_for(1s);
    }
    ASSERT_TRUE(user.error);
    EXPECT_EQ(user.error->code, ErrorCode::timed_out);
}

TEST_F(HostileTest, TheTimeToAcceptBeginsWhenTheRequestHasGone) {
    lane_forward = [](std::size_t) { return false; };
    auto what = request(2 << 20);  // 5 s, and 2 s for its size
    auto& user = users_[1] = std::make_unique<User>(*this, std::uint8_t{1}, what, dispersal::Threshold{4, 3});
    user->held_back = {40, 40, 40, 0};
    ASSERT_TRUE(user->side->start(clock_.now()));
    for (std::size_t left = 40; left > 0; --left) {
        user->held_back = {left, left, left, 0};
        run_for(1s);
        ASSERT_FALSE(user->error) << left;
    }
    user->held_back = {0, 0, 0, 0};
    run_for(6s);
    EXPECT_FALSE(user->error);
    run_for(2s);
    ASSERT_TRUE(user->error);
    EXPECT_EQ(user->error->code, ErrorCode::unavailable);
}

TEST_F(HostileTest, LanesThatDoNotSendTheRequestAreNotWaitedFor) {
    lane_forward = [](std::size_t) { return false; };
    auto& user = users_[1] = std::make_unique<User>(*this, std::uint8_t{1}, request(), dispersal::Threshold{4, 3});
    user->held_back = {5, 5, 0, 0};
    ASSERT_TRUE(user->side->start(clock_.now()));
    run_for(6s);
    EXPECT_TRUE(user->error);
}

TEST_F(HostileTest, OneProxyCannotShutOutARequest) {
    auto& user = ask(request());
    bring_all_changed(user);
    run_for(1s);
    EXPECT_TRUE(user.accepted);
    EXPECT_EQ(engine_.started, 1);
    EXPECT_EQ(model_side_->counters().corrupt, 3u) << "one source may bring k before the head is known";
}

TEST_F(HostileTest, ControlClovesOfNobodyAreBoundedAndDoNoHarm) {
    auto& user = ask(request());
    run_for(1s);
    ASSERT_TRUE(user.accepted);
    auto flood = [&](const NodeId& proxy) {
        for (std::uint64_t number = 0; number < 1024; ++number) {
            Bytes clove = forged(RecordKind::control, number, 0, number % 2 == 0 ? 4096 : 512);
            model_side_->on_clove(proxy, seal_envelope(RecordKind::control, user.exchange->bytes(), clove),
                                  clock_.now());
        }
    };
    flood(user.proxies[0]);
    EXPECT_LE(model_side_->assembly_bytes(), 100u << 10);
    user.side->cancel();
    run_for(1s);
    EXPECT_EQ(model_side_->exchanges(), 0u) << "one proxy does not keep the others' cloves out";

    auto& second = ask(request());
    run_for(1s);
    ASSERT_TRUE(second.accepted);
    for (std::uint8_t other = 0; other < 40; ++other)
        for (std::uint64_t number = 0; number < 1024; ++number) {
            Bytes clove = forged(RecordKind::control, number, 0, 4096);
            model_side_->on_clove(peer(other), seal_envelope(RecordKind::control, second.exchange->bytes(), clove),
                                  clock_.now());
        }
    EXPECT_LE(model_side_->assembly_bytes(), 600u << 10);
    EXPECT_GT(model_side_->assembly_bytes(), 400u << 10);
}

TEST_F(HostileTest, ClovesAreBoundedWhenTheyArrive) {
    limits_.maximum_assembly = 100 << 10;
    make_model_side();
    for (int i = 0; i < 200; ++i) {
        auto user = crypto::AgreementKey::generate(random_);
        for (std::uint64_t number = 0; number < 5; ++number) {
            Bytes clove = forged(RecordKind::request, number, 0, 16384);
            model_side_->on_clove(peer(1), seal_envelope(RecordKind::request, user.public_key().value, clove),
                                  clock_.now());
            ASSERT_LE(model_side_->assembly_bytes(), limits_.maximum_assembly + (8 << 10));
        }
    }
    auto& user = ask(request());
    run_for(1s);
    EXPECT_TRUE(user.accepted) << "unverified cloves gave way";
    EXPECT_GT(model_side_->counters().evicted, 0u);
}

TEST_F(HostileTest, RefusedAndUnopenedClovesKeepNoExchangeAlive) {
    auto user = crypto::AgreementKey::generate(random_);
    for (std::uint64_t second = 0; second < 30; ++second) {
        Bytes clove = forged(RecordKind::request, second, 0);
        model_side_->on_clove(peer(1), seal_envelope(RecordKind::request, user.public_key().value, clove),
                              clock_.now());
        model_side_->on_clove(peer(1), seal_envelope(RecordKind::request, user.public_key().value, Bytes{1}),
                              clock_.now());
        EXPECT_EQ(model_side_->exchanges(), 1u);
        run_for(1s);
    }
    EXPECT_EQ(model_side_->counters().refused, 30u);
    run_for(1s);
    EXPECT_EQ(model_side_->exchanges(), 0u);
    EXPECT_EQ(model_side_->assembly_bytes(), 0u);
}

TEST_F(HostileTest, SingleClovesDoNotKeepARequestOut) {
    limits_.maximum_exchanges = 32;
    limits_.maximum_unverified_of_proxy = 12;
    make_model_side();
    Bytes clove = forged(RecordKind::request, 0, 0);
    auto open_one = [&](const NodeId& proxy) {
        auto user = crypto::AgreementKey::generate(random_);
        model_side_->on_clove(proxy, seal_envelope(RecordKind::request, user.public_key().value, clove), clock_.now());
    };
    for (int i = 0; i < 50; ++i) open_one(peer(1));
    EXPECT_EQ(model_side_->exchanges(), 12u) << "one proxy has its share";
    for (int i = 0; i < 50; ++i)
        for (std::uint8_t from = 1; from < 5; ++from) open_one(peer(from));
    EXPECT_EQ(model_side_->exchanges(), 32u);
    auto& user = ask(request());
    run_for(1s);
    EXPECT_TRUE(user.accepted);
    for (int i = 0; i < 50; ++i)
        for (std::uint8_t from = 1; from < 5; ++from) open_one(peer(from));
    engine_.calls.at(0)->sink.on_head({200, {}});
    engine_.calls.at(0)->sink.on_end();
    run_for(1s);
    EXPECT_TRUE(user.ended) << "what was verified does not give way";
}

TEST_F(HostileTest, WhatIsKeptOfRepliesIsCountedExactly) {
    limits_.maximum_kept_reply = 1000;
    make_model_side();
    auto& user = ask(request());
    run_for(1s);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    call.sink.on_body(Bytes(5000));
    call.sink.on_end();
    EXPECT_EQ(model_side_->kept_bytes(), Run::keeping_cost + 5000u);
    run_for(1s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(model_side_->kept_bytes(), Run::keeping_cost) << "it was too long, and was trimmed";

    auto what = request();
    for (int i = 0; i < 3; ++i) {
        ask(what);
        run_for(500ms);
        auto& failing = *engine_.calls.at(0);
        failing.sink.on_head({200, {}});
        failing.sink.on_body(Bytes(700));
        failing.sink.on_error({ErrorCode::internal, "broken"});
        run_for(300ms);
    }
    EXPECT_LE(model_side_->kept_bytes(), 2 * Run::keeping_cost + 706u);
    ask(what);
    run_for(500ms);
    engine_.calls.at(0)->sink.on_head({200, {}});
    engine_.calls.at(0)->sink.on_body(Bytes(900));
    engine_.calls.at(0)->sink.on_end();
    run_for(5min);
    EXPECT_EQ(model_side_->kept_bytes(), 2 * Run::keeping_cost + 900u) << "a retry that went well is kept";
    int started = engine_.started;
    auto& again = ask(what);
    run_for(1s);
    EXPECT_TRUE(again.ended);
    EXPECT_EQ(engine_.started, started);
    run_for(11min);
    EXPECT_EQ(model_side_->kept_bytes(), 0u);
    EXPECT_EQ(model_side_->next_timer(), Time::max());
}

// On the code before, only their number was bounded: some megabytes for each of 1,024 exchanges.
TEST_F(HostileTest, FinishedRepliesThatNobodyReadsFillNoMemory) {
    limits_.maximum_kept_replies = 3 << 20;
    make_model_side();
    std::vector<User*> stuck;
    for (int i = 0; i < 6; ++i) {
        auto& user = ask(request());
        user.reads = false;
        stuck.push_back(&user);
        run_for(500ms);
        auto& call = *engine_.calls.back();
        call.sink.on_head({200, {}});
        call.sink.on_body(Bytes(2 * inference::reply_window));
        call.sink.on_end();
    }
    auto& reader = ask(request());
    run_for(500ms);
    auto& call = *engine_.calls.back();
    call.sink.on_head({200, {}});
    call.sink.on_body(Bytes(2 * inference::reply_window));
    call.sink.on_end();
    run_for(5s);
    EXPECT_LE(model_side_->kept_bytes(), limits_.maximum_kept_replies);
    EXPECT_TRUE(reader.ended);
    EXPECT_EQ(reader.body.size(), 2 * inference::reply_window);
    ASSERT_TRUE(stuck.front()->error) << "the one that has been over for longest";
    EXPECT_EQ(stuck.front()->error->code, ErrorCode::timed_out);
}

TEST_F(HostileTest, ShortRepliesAreBoundedByAllThatIsKeptOfThem) {
    limits_.maximum_kept_replies = 100 * Run::keeping_cost;
    make_model_side();
    for (int i = 0; i < 150; ++i) {
        ask(request());
        run_for(100ms);
        auto& call = *engine_.calls.back();
        call.sink.on_head({200, {{"content-type", "text/plain"}}});
        call.sink.on_body(Bytes(1));
        call.sink.on_end();
    }
    run_for(2s);
    EXPECT_GT(model_side_->kept_bytes(), 50 * Run::keeping_cost) << "counted with its head and tables";
    EXPECT_LE(model_side_->kept_bytes(), limits_.maximum_kept_replies);
}

TEST_F(HostileTest, AUserThatStopsReadingLosesTheEngineAndHoldsNobodyUp) {
    auto what = request();
    auto& stuck = ask(what);
    auto& reader = ask(what);
    stuck.reads = false;
    run_for(1s);
    ASSERT_EQ(engine_.started, 1);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    call.sink.on_body(Bytes(2 * inference::reply_window));
    run_for(118s);
    EXPECT_EQ(reader.body.size(), 2 * inference::reply_window);
    EXPECT_EQ(call.consumed_bytes, 0u);
    EXPECT_FALSE(stuck.error);
    run_for(4s);
    ASSERT_TRUE(stuck.error);
    EXPECT_EQ(stuck.error->code, ErrorCode::timed_out);
    EXPECT_GE(call.consumed_bytes, inference::reply_window);
    EXPECT_EQ(model_side_->counters().stalled, 1u);
    reader.reads = false;
    call.sink.on_body(Bytes(2 * inference::reply_window));
    run_for(122s);
    EXPECT_EQ(engine_.destroyed, 1) << "nobody reads any more";
    EXPECT_TRUE(reader.error);
}

TEST_F(HostileTest, AProxyCannotTellTokensApart) {
    std::set<std::size_t> sizes;
    lane_backward = [&](std::size_t, Bytes& payload) {
        sizes.insert(payload.size());
        return true;
    };
    ask(request());
    run_for(1s);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    for (std::size_t size = 1; size < 500; ++size) call.sink.on_body(Bytes(size));
    run_for(6s);  // and a heartbeat
    EXPECT_EQ(sizes.size(), 1u);
}

TEST_F(HostileTest, AModelNodeThatSendsWrongClovesIsBlamedItself) {
    std::uint64_t record = 0;
    lane_backward = [&](std::size_t lane, Bytes& payload) {
        if (lane == 1 + record / 4 % 2) payload.back() ^= 1;
        ++record;
        return true;
    };
    auto& user = ask(request());
    run_for(1s);
    EXPECT_TRUE(user.accepted);
    EXPECT_EQ(user.corrupt, std::set<std::size_t>{1});
    ASSERT_FALSE(user.error);
    run_for(5s);  // the next record is a heartbeat
    ASSERT_TRUE(user.error);
    EXPECT_EQ(user.error->code, ErrorCode::malformed);
    EXPECT_EQ(user.corrupt, std::set<std::size_t>{1}) << "no other path is given up for it";
    run_for(1s);
    EXPECT_EQ(engine_.destroyed, 1) << "it is told to stop";
}

TEST_F(HostileTest, OnceItAnswersWrongClovesAreOnlyPassedOver) {
    auto& user = ask(request());
    run_for(1s);
    auto& call = *engine_.calls.at(0);
    call.sink.on_head({200, {}});
    run_for(1s);
    std::uint64_t clove = 0;
    lane_backward = [&](std::size_t lane, Bytes& payload) {
        if (lane == clove++ / 4 % 4) payload.back() ^= 1;
        return true;
    };
    for (int i = 0; i < 100; ++i) call.sink.on_body(Bytes(10));
    call.sink.on_end();
    run_for(1s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(user.body.size(), 1000u);
    EXPECT_EQ(user.corrupt.size(), 1u);
}

}  // namespace
}  // namespace planetserve::exchange
