// What users that say what they like in their requests may not make a model node do.

#include "exchange/hostile_fixture.h"

namespace planetserve::exchange {
namespace {

class HostileUserTest : public HostileTest {
protected:
    std::vector<Lane> lanes_at(const NodeId& proxy, std::size_t count, std::uint8_t mark) {
        std::vector<Lane> lanes;
        for (std::size_t i = 0; i < count; ++i) lanes.push_back(lane_at(proxy, mark));
        return lanes;
    }
    // Whatever the engine is asked it answers with so much.
    void answer_all(std::size_t size) {
        for (std::size_t i = 0; i < engine_.calls.size(); ++i) {
            auto& sink = engine_.calls[i]->sink;
            if (!answered_.insert(engine_.calls[i]).second) continue;
            sink.on_head({200, {}});
            sink.on_body(Bytes(size));
        }
    }
    std::set<const void*> answered_;
};

// Before, each record was kept as all its cloves, and what a user said it had consumed let the next follow: 100
// exchanges with n = 32, k = 1 held gigabytes.
TEST_F(HostileUserTest, RepliesThatNobodyAcknowledgesFillNoMemory) {
    limits_.maximum_unacknowledged = 8 << 20;
    limits_.maximum_unacknowledged_of_opener = 2 << 20;
    limits_.assured_unacknowledged = 64 << 10;
    make_model_side();
    std::vector<std::unique_ptr<RawUser>> hostile;
    for (int i = 0; i < 50; ++i) {
        hostile.push_back(std::make_unique<RawUser>(*this, dispersal::Threshold{8, 4}, lanes_at(peer(1), 8, 200)));
        hostile.back()->ask({peer(1)});
    }
    EXPECT_EQ(engine_.started, 50);
    answer_all(4 << 20);
    for (std::uint64_t step = 1; step <= 4; ++step)
        for (auto& user : hostile) user->say(Control{0, step << 20, false, {}}, {peer(1)});
    EXPECT_LE(model_side_->unacknowledged_bytes(), (2u << 20) + 50 * (80u << 10));

    auto& honest = ask(request());
    run_for(200ms);
    answer_all(1 << 20);
    run_for(2s);
    EXPECT_EQ(honest.body.size(), 1u << 20) << "replies through other proxies move";
    engine_.calls.back()->sink.on_end();
    run_for(1s);
    EXPECT_TRUE(honest.ended);
    run_for(1h);
    EXPECT_EQ(model_side_->unacknowledged_bytes(), 0u);
}

TEST_F(HostileUserTest, RepliesMoveWhereTheNodeKeepsAllThatItMay) {
    limits_.maximum_unacknowledged = 0;
    make_model_side();
    auto& user = ask(request());
    run_for(200ms);
    answer_all(3 << 20);
    engine_.calls.at(0)->sink.on_end();
    run_for(10s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(user.body.size(), 3u << 20);
}

// Before, 57 records of 1,021 to 1,149 bytes filled what an exchange has in any case, and the user acknowledged
// after 64.
TEST_F(HostileUserTest, RecordsOfEverySizeMoveWhereTheNodeKeepsAllThatItMay) {
    limits_.maximum_unacknowledged = 0;
    make_model_side();
    for (std::size_t size : {100, 500, 1000, 1021, 1085, 1149, 1200, 2100, 4000, 16'000}) {
        auto& user = ask(request());
        run_for(200ms);
        auto& sink = engine_.calls.back()->sink;
        sink.on_head({200, {}});
        std::size_t sent = 0;
        for (int tenth = 0; tenth < 20; ++tenth) {
            for (int i = 0; i < 10; ++i, sent += size) sink.on_body(Bytes(size));
            run_for(100ms);
        }
        EXPECT_EQ(user.body.size(), sent) << "in records of " << size << " bytes";
        sink.on_end();
        run_for(1s);
        EXPECT_TRUE(user.ended) << size;
    }
}

// Before, what the reader left filled what an exchange has in any case, no heartbeat went out, and the user gave up
// after 20 s.
TEST_F(HostileUserTest, AReaderMayPauseWhereTheNodeKeepsAllThatItMay) {
    limits_.maximum_unacknowledged = 0;
    make_model_side();
    auto& user = ask(request());
    user.reads = false;
    run_for(200ms);
    answer_all(3 << 20);
    run_for(100s);
    EXPECT_FALSE(user.error);
    user.reads = true;
    user.side->consumed(user.body.size());
    engine_.calls.at(0)->sink.on_end();
    run_for(10s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(user.body.size(), 3u << 20);
    auto& gone = ask(request());
    gone.reads = false;
    run_for(200ms);
    answered_.clear();  // the first call is gone, and this one may have its address
    answer_all(3 << 20);
    run_for(130s);
    EXPECT_EQ(model_side_->counters().stalled, 1u) << "a pause ends";
    EXPECT_LE(model_side_->unacknowledged_bytes(), 160u << 10);
}

TEST_F(HostileUserTest, ConsumedBytesWithoutAcknowledgedRecordsMoveNoWindow) {
    RawUser user(*this, {4, 3}, lanes_at(peer(1), 4, 200));
    user.ask({peer(1)});
    answer_all(8 << 20);
    for (std::uint64_t step = 1; step <= 8; ++step) user.say(Control{0, step << 20, false, {}}, {peer(1)});
    EXPECT_LE(model_side_->unacknowledged_bytes(), unacknowledged_window + (32u << 10));
    run_for(130s);
    EXPECT_EQ(model_side_->counters().stalled, 1u) << "it reads nothing, whatever it says";
}

// Before, each id cost an agreement: 10,000 of them evicted 9,936 others.
TEST_F(HostileUserTest, AProxyCannotMakeTheNodeAgreeOnKeysWithoutEnd) {
    Bytes clove = forged(RecordKind::request, 0, 0);
    for (int i = 0; i < 10'000; ++i)
        model_side_->on_clove(peer(1), seal_envelope(RecordKind::request, random_.id<ExchangeId>().bytes(), clove),
                              clock_.now());
    EXPECT_LE(model_side_->counters().evicted + model_side_->exchanges(),
              static_cast<std::uint64_t>(limits_.opens_burst));
    auto& user = ask(request());
    run_for(1s);
    EXPECT_TRUE(user.accepted) << "other proxies' requests are taken";
    run_for(10s);
    RawUser later(*this, {4, 3}, lanes_at(peer(1), 4, 200));
    later.ask({peer(1)});
    EXPECT_EQ(engine_.started, 2) << "and this one's, a little later";
}

// Before, a record cost up to 1,024 decryptions, in as many records as a request may have.
TEST_F(HostileUserTest, AStrangerCannotChooseHowManySetsAreTried) {
    crypto::SymmetricKey key, other(std::array<std::uint8_t, 32>{1});
    RecordSender sender(RecordKind::request, other, {8, 4});
    RecordReceiver receiver(RecordKind::request, key);
    auto first = sender.add(Bytes(100), random_);
    std::string error;
    for (std::uint8_t from = 0; from < 16 && error.empty(); ++from) {
        Bytes clove = first[from % 8];
        clove.back() ^= from;
        if (auto added = receiver.add(Source{{from}}, clove, 8); !added) error = added.error().message;
    }
    EXPECT_NE(error.find("after 128 tries"), std::string::npos) << error;
    for (int record = 1; record < 100; ++record) {
        auto cloves = sender.add(Bytes(100), random_);
        for (std::uint8_t i = 0; i < 8; ++i) EXPECT_TRUE(receiver.add(Source{{i}}, cloves[i], 8)) << "it only waits";
    }
    RecordReceiver fresh(RecordKind::request, key);
    RecordSender same(RecordKind::request, other, {8, 4});
    auto cloves = same.add(Bytes(100), random_);
    for (std::uint8_t i = 0; i < 4; ++i) EXPECT_TRUE(fresh.add(Source{}, cloves[i], 8));
    EXPECT_FALSE(fresh.add(Source{}, cloves[4], 8)) << "k of one source are enough";
}

TEST_F(HostileUserTest, OneProxyCannotShutOutARequestOfManyLanes) {
    auto& user = ask(request(), {8, 4});
    bring_all_changed(user);
    run_for(1s);
    EXPECT_TRUE(user.accepted);
}

// Before, a victim got half of the reply in this case, and all of it again with each change.
TEST_F(HostileUserTest, ANodeNamedAsAProxyGetsOneSmallRecord) {
    const NodeId victim = peer(9);
    std::vector<NodeId> proxies;
    for (std::uint8_t i = 11; i < 19; ++i) proxies.push_back(peer(i));
    std::size_t to_victim = 0;
    lane_backward = [&](std::size_t, Bytes& payload) {
        if (payload[0] == 201) to_victim += payload.size();
        return payload[0] != 200 && payload[0] != 201;
    };
    auto lanes = lanes_at(peer(1), 4, 200);
    for (const Lane& lane : lanes_at(victim, 4, 201)) lanes.push_back(lane);
    RawUser user(*this, {8, 4}, lanes);
    user.ask({peer(1)});
    answer_all(1 << 20);
    EXPECT_LE(to_victim, 4u * 512);
    for (int i = 0; i < 200; ++i) {
        Control control;
        for (std::uint8_t lane = 0; lane < 8; ++lane) control.changes.push_back({lane, lane_at(victim, 201)});
        user.say(control, proxies);
        run_for(10ms);
    }
    EXPECT_LE(to_victim, (4u + 3 * 8) * 512) << "a lane changes once a second";
}

TEST_F(HostileUserTest, ALaneThatIsHeardOfLateGetsWhatItMissed) {
    lane_forward = [](std::size_t lane) { return lane != 3; };
    lane_backward = [](std::size_t lane, Bytes&) { return lane != 0; };
    auto& user = ask(request());
    run_for(200ms);
    answer_all(200'000);
    engine_.calls.at(0)->sink.on_end();
    run_for(1s);
    EXPECT_FALSE(user.ended);
    for (const auto& [lane, envelope] : user.sent)
        if (lane == 3) model_side_->on_clove(user.proxies[3], envelope, clock_.now());
    lane_forward = nullptr;
    run_for(2s);
    EXPECT_TRUE(user.ended);
    EXPECT_EQ(user.body.size(), 200'000u);
}

TEST_F(HostileUserTest, ALaneThatChangesTwiceInASecondIsNotLost) {
    auto& user = ask(request());
    run_for(200ms);
    answer_all(1000);
    Lane last;
    for (int i = 0; i < 3; ++i) {
        user.side->on_lane_down(2, clock_.now());
        last = user.make_lane(2);
        user.side->on_lane_replaced(2, last, clock_.now());
        run_for(100ms);
    }
    run_for(2s);
    lane_backward = [&](std::size_t lane, Bytes& payload) {
        return lane != 0 && (lane != 2 || std::ranges::equal(last.handle.bytes(), ByteView(payload).first(16)));
    };
    auto& sink = engine_.calls.at(0)->sink;
    sink.on_body(Bytes(100'000));
    sink.on_end();
    run_for(2s);
    EXPECT_TRUE(user.ended);
}

// The engines' places are shared by it (inference/admission.h).
TEST_F(HostileUserTest, ARequestNamesTheNeighbourThatBroughtIt) {
    RawUser user(*this, {4, 3}, lanes_at(peer(2), 4, 200));
    user.head.via = peer(7);
    user.ask({peer(1)});
    EXPECT_EQ(engine_.calls.at(0)->request.via, peer(1)) << "whatever the user says";

    struct Everyone final : Forwarding {
        std::optional<NodeId> place(const inference::Request&, const std::set<NodeId>&, Time) override { return {}; }
        bool accepts_from(const NodeId&, const std::string&) override { return true; }
    } everyone;
    model_side_->set_forwarding(everyone);
    lane_backward = [](std::size_t, Bytes&) { return false; };
    std::set<NodeId> shares{peer(1), peer(5)};
    for (std::uint8_t opener : {1, 2, 2}) {
        RawUser forwarded(*this, {4, 3}, lanes_at(peer(2), 4, 200));
        forwarded.head.via = peer(opener);
        sign(forwarded.head, {}, forwarded.id, owner_of(forwarded.head.id, {}));
        Bytes payload = to_bytes(forwarded.id.bytes());
        const Bytes head = encode(forwarded.head);
        ByteWriter(payload).u32(static_cast<std::uint32_t>(head.size()));
        append(payload, head);
        forwarding_frames_ = true;
        model_side_->on_forward_request(peer(5), payload, clock_.now());
        shares.insert(*engine_.calls.back()->request.via);
    }
    EXPECT_EQ(engine_.started, 4);
    EXPECT_EQ(shares.size(), 4u) << "a share for each neighbour of the node that forwards, and no neighbour's own";
}

TEST_F(HostileUserTest, AnEngineMaySayWhatItLikesInAHead) {
    auto& user = ask(request());
    run_for(200ms);
    auto& sink = engine_.calls.at(0)->sink;
    inference::ReplyHead head{200, {}};
    for (int i = 0; i < 32; ++i) head.headers.emplace_back("x-" + std::to_string(i), std::string(1024, '\xff'));
    sink.on_head(head);
    sink.on_body(as_bytes("text"));
    sink.on_error({ErrorCode::internal, std::string(10'000, '\xff')});
    run_for(1s);
    ASSERT_TRUE(user.error);
    EXPECT_EQ(user.error->code, ErrorCode::internal);
    EXPECT_EQ(as_text(user.body), "text");
}

// Before, a path of 17 KB ended the user's process.
TEST_F(HostileUserTest, ARequestWhoseHeadFitsNoRecordIsAnError) {
    auto what = request();
    what.path += "?" + std::string(17 << 10, 'a');
    User user(*this, 1, what, {4, 3});
    auto started = user.side->start(clock_.now());
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::invalid_argument);
    EXPECT_TRUE(user.sent.empty());
    User many(*this, 2, request(), {5, 2});
    EXPECT_FALSE(many.side->start(clock_.now())) << "model nodes take no such threshold";
}

}  // namespace
}  // namespace planetserve::exchange
