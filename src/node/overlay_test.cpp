// The whole overlay in one process and virtual time: requests, answers, and what hostile and failing nodes do to them.

#include "node/overlay_fixture.h"

namespace planetserve::node {
namespace {

TEST_F(Overlay, AnswersARequestOverFourPaths) {
    make(200, 3);
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt), 40));
    EXPECT_EQ(started(), 1u);
    clock_.run_for(2s);
    EXPECT_EQ(serving(reply).node.model_side().exchanges(), 0u) << "the model node forgets an exchange that is over";
    for (const auto& path : paths()) EXPECT_EQ(path.streams, 0u);
}

TEST_F(Overlay, RelaysLostInMidStreamLoseNothing) {
    for (int lost = 1; lost <= 4; ++lost) {
        SCOPED_TRACE(lost);
        if (users_.empty()) make(200, 2, {.tokens = 400});
        auto& reply = ask(prompt + std::to_string(lost));
        clock_.run_for(1s);
        ASSERT_FALSE(reply.text.empty());
        auto live = paths();
        // One relay of each of `lost` paths at once: more than n - k = 1 of them leaves too few, until they are
        // replaced.
        for (int i = 0; i < lost; ++i) network_.kill(live[i].relays[i % 3]);
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt + std::to_string(lost)), 400));
        EXPECT_EQ(started(), static_cast<std::size_t>(lost)) << "nothing ran twice";
        clock_.run_for(40s);
    }
}

enum class Evil { change, drop, repeat, replay, delay };
class HostileRelay : public Overlay, public testing::WithParamInterface<Evil> {};

TEST_P(HostileRelay, OnOnePathNeverHarmsAnAnswer) {
    make(60, 2, {.tokens = 200});
    for (int round = 0; round < 5; ++round) {
        auto live = paths();
        NodeId hostile = live[round % live.size()].relays[round % 3];
        std::uint64_t seen = 0;
        Bytes old;
        network_.interfere([&, hostile](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
            std::vector<std::pair<Duration, Bytes>> honest{{Duration{}, frame.payload}};
            if (frame.from != hostile ||
                (frame.type != wire::FrameType::path_cell && frame.type != wire::FrameType::clove_reply))
                return honest;
            if (++seen == 3) old = frame.payload;
            if (seen % 7 != 0) return honest;
            switch (GetParam()) {
                case Evil::change:
                    honest[0].second[honest[0].second.size() / 2] ^= 4;
                    return honest;
                case Evil::drop:
                    return {};
                case Evil::repeat:
                    return {honest[0], honest[0]};
                case Evil::replay:
                    return {honest[0], {Duration{}, old}};
                case Evil::delay:
                    return {{10s, frame.payload}};
            }
            return honest;
        });
        auto body = prompt + std::to_string(round);
        auto& reply = ask(body);
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(body), 200));
        network_.interfere(nullptr);
        clock_.run_for(60s);
    }
}

INSTANTIATE_TEST_SUITE_P(Evils, HostileRelay,
                         testing::Values(Evil::change, Evil::drop, Evil::repeat, Evil::replay, Evil::delay));

TEST_F(Overlay, ADeadModelNodeIsPassedOver) {
    make(60, 3);
    for (int i = 0; i < 2; ++i) network_.kill(models_[i]->id);
    for (int i = 0; i < 10; ++i) {
        auto& reply = ask(prompt);
        Time before = clock_.now();
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(&serving(reply), models_[2].get());
        EXPECT_LT(clock_.now() - before, 3s);
    }
}

TEST_F(Overlay, TheOnlyModelNodeIsTriedAgainWhenItCouldNotBeReachedAtFirst) {
    make(60, 1);
    network_.kill(models_[0]->id);
    auto& reply = ask(prompt);
    clock_.run_for(1s);
    EXPECT_FALSE(reply.over());
    network_.attach(models_[0]->id, *models_[0]);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(started(), 1u);
}

TEST_F(Overlay, TheOnlyModelNodeIsTriedAgainWhenItsWordDidNotArriveInTime) {
    make(60, 1);
    NodeId slow = models_[0]->id;
    network_.interfere([slow](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from == slow) return {};
        return {{Duration{}, frame.payload}};
    });
    auto& reply = ask(prompt);
    clock_.run_for(6s);
    network_.interfere(nullptr);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt), 40));
    EXPECT_EQ(started(), 1u) << "the second attempt joins the first one's run";
}

TEST_F(Overlay, TheOnlyModelNodeIsGivenUpInTheEnd) {
    make(60, 1);
    network_.kill(models_[0]->id);
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply, 10s));
    ASSERT_TRUE(reply.error);
    EXPECT_NE(reply.error->message.find("cannot be reached"), std::string::npos) << reply.error->message;
}

TEST_F(Overlay, AModelNodeThatFallsSilentIsPassedOver) {
    make(60, 2);
    NodeId silent = models_[0]->id;
    network_.interfere([silent](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from == silent) return {};
        return {{Duration{}, frame.payload}};
    });
    for (int i = 0; i < 4; ++i) {
        auto& reply = ask(prompt + std::to_string(i));
        ASSERT_TRUE(finish(reply));
        EXPECT_TRUE(reply.ended);
    }
}

TEST_F(Overlay, AFullModelNodeIsPassedOverAndWhenAllAreFullTheClientLearnsIt) {
    make(60, 2, {.tokens = 2000, .capacity = 1});
    ask(prompt + "1");
    ask(prompt + "2");
    clock_.run_for(1s);
    auto& third = ask(prompt + "3");
    ASSERT_TRUE(finish(third, 5s));
    ASSERT_TRUE(third.head);
    EXPECT_EQ(third.head->status, 503u);
}

TEST_F(Overlay, AModelNodeThatRefusesIsPassedOverAndWhenAllRefuseTheClientLearnsIt) {
    make(60, 2);
    models_[0]->engine.refuse_with(500);
    for (int i = 0; i < 8; ++i) {
        auto& reply = ask(prompt + std::to_string(i));
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.head);
        EXPECT_EQ(reply.head->status, 200u);
        EXPECT_EQ(&serving(reply), models_[1].get());
    }
    EXPECT_GT(models_[0]->engine.started(), 0u) << "it was asked";
    models_[1]->engine.refuse_with(502);
    auto& last = ask(prompt);
    ASSERT_TRUE(finish(last));
    ASSERT_TRUE(last.head);
    EXPECT_GE(last.head->status, 500u);
}

TEST_F(Overlay, HangingUpStopsTheEngine) {
    make(60, 1, {.tokens = 100000});
    auto& reply = ask(prompt);
    clock_.run_for(1s);
    EXPECT_EQ(models_[0]->engine.running(), 1u);
    hang_up(reply);
    clock_.run_for(1s);
    EXPECT_EQ(models_[0]->engine.running(), 0u);
    EXPECT_EQ(models_[0]->node.model_side().exchanges(), 0u);
}

TEST_F(Overlay, AUserThatDiesStopsTheEngineToo) {
    make(60, 1, {.tokens = 100000});
    ask(prompt);
    clock_.run_for(1s);
    network_.kill(user().id);
    clock_.run_for(20s);
    EXPECT_EQ(models_[0]->engine.running(), 0u);
}

TEST_F(Overlay, AConversationStaysWithItsModelNode) {
    make(60, 3);
    std::string messages = R"({"role":"user","content":"hello"})";
    NodeId first;
    for (int turn = 0; turn < 6; ++turn) {
        auto& reply = ask(R"({"model":"m","messages":[)" + messages + "]}");
        ASSERT_TRUE(finish(reply));
        if (turn == 0) first = serving(reply).id;
        EXPECT_EQ(serving(reply).id, first);
        messages +=
            R"(,{"role":"assistant","content":"x"},{"role":"user","content":"again )" + std::to_string(turn) + R"("})";
    }
}

TEST_F(Overlay, ARetryGoesWhereTheRequestWentAndRunsOnce) {
    make(30, 8);
    auto id = random_.id<IdempotencyId>();
    std::vector<std::unique_ptr<Reply>> replies;
    for (int i = 0; i < 4; ++i) {
        auto& reply = *replies.emplace_back(std::make_unique<Reply>());
        auto started =
            user().node.requests().start({id, "POST", "/v1/completions", "text/plain", "m", to_bytes(prompt)}, reply);
        ASSERT_TRUE(started);
        reply.exchange = std::move(*started);
        network_.rearm(user().id);
        if (i == 2) finish(reply);
    }
    for (auto& reply : replies) {
        ASSERT_TRUE(finish(*reply));
        EXPECT_EQ(reply->text, TokenEngine::answer(as_bytes(prompt), 40));
    }
    EXPECT_EQ(started(), 1u);
}

TEST_F(Overlay, APathThatHadToShareRelaysIsReplacedWhenThereAreOthersAgain) {
    make(13, 1);
    auto distinct = [&] {
        std::set<NodeId> relays;
        std::size_t up = 0, all = 0;
        for (const auto& path : paths()) {
            if (path.state != onion::PathState::up) continue;
            ++up;
            all += path.relays.size();
            relays.insert(path.relays.begin(), path.relays.end());
        }
        return up == 4 && relays.size() == all;
    };
    ASSERT_TRUE(clock_.run_until_true(distinct, 60s));
    // One relay is lost and with it a path; those left are too few for four distinct ones.
    NodeId lost = paths().front().relays[1];
    network_.kill(lost);
    ASSERT_TRUE(clock_.run_until_true([&] { return !distinct(); }, 30s));
    clock_.run_for(20s);
    EXPECT_FALSE(distinct());
    users_.push_back(std::make_unique<UserHost>(clock_, network_, random_, UserNodeOptions{}));
    DirectoryView view = user().node.requests().directory();
    std::vector<onion::RelayInfo> relays(view.relays.begin(), view.relays.end());
    std::erase_if(relays, [&](const auto& relay) { return relay.id == lost; });
    relays.push_back({users_.back()->id, users_.back()->keys.onion.public_key()});
    view.relays = std::move(relays);
    user().node.requests().update_directory(view);
    network_.rearm(user().id);
    EXPECT_TRUE(clock_.run_until_true(distinct, 180s));
}

TEST_F(Overlay, ManyRequestsAtOnceAreEachAnsweredRight) {
    make(60, 3, {.tokens = 30, .capacity = 32});
    std::vector<Reply*> all;
    for (int i = 0; i < 64; ++i) all.push_back(&ask(prompt + std::to_string(i)));
    for (int i = 0; i < 64; ++i) {
        ASSERT_TRUE(finish(*all[i]));
        EXPECT_EQ(all[i]->text, TokenEngine::answer(as_bytes(prompt + std::to_string(i)), 30));
    }
}

// The whole overlay with losses in mid-stream, as a trace of every byte that arrived.
struct TracedRun final : Overlay {
    void TestBody() override {}
    std::uint64_t hash(std::uint64_t seed) {
        simulator::Trace trace;
        random_ = SeededRandom(seed);
        network_.record(&trace);
        make(40, 2, {.tokens = 100});
        for (int i = 0; i < 3; ++i) ask(prompt + std::to_string(i));
        clock_.run_for(1s);
        network_.kill(paths().front().relays[1]);
        network_.vanish(paths().back().relays[2]);
        network_.kill(models_[0]->id);
        clock_.run_for(60s);
        EXPECT_GT(trace.events(), 3000u);
        return trace.hash();
    }
};

TEST(OverlayTrace, IsTheSeeds) {
    std::uint64_t once = TracedRun().hash(1);
    EXPECT_EQ(TracedRun().hash(1), once);
    EXPECT_NE(TracedRun().hash(2), once);
}

TEST_F(Overlay, UnknownModelsAreNamedAtOnce) {
    make(30, 1);
    auto& reply = ask(prompt, "gpt-9");
    ASSERT_TRUE(reply.error);
    EXPECT_EQ(reply.error->code, ErrorCode::not_found);
    EXPECT_NE(reply.error->message.find("there are: m"), std::string::npos);
}

// Before, this ended the user node's process.
TEST_F(Overlay, ARequestWhoseHeadFitsNoRecordIsRefusedAtOnce) {
    make(30, 1);
    auto& reply = ask(prompt, "m", "/v1/completions?" + std::string(17 << 10, 'a'));
    ASSERT_TRUE(reply.error) << "at once";
    EXPECT_EQ(reply.error->code, ErrorCode::invalid_argument);
    EXPECT_EQ(user().node.requests().active(), 0u);
    auto& next = ask(prompt);
    ASSERT_TRUE(finish(next));
    EXPECT_TRUE(next.ended);
}

TEST_F(Overlay, NothingReadableAndNothingEqualPassesARelay) {
    make(60, 2);
    std::map<NodeId, std::set<Bytes>> received, sent;
    std::set<NodeId> first_hops;
    for (const auto& path : paths()) first_hops.insert(path.relays.front());
    bool leaked = false;
    auto contains = [](const Bytes& bytes, ByteView what) {
        return std::search(bytes.begin(), bytes.end(), what.begin(), what.end()) != bytes.end();
    };
    network_.tap([&](Time, const Frame& frame) {
        // 24 bytes in a row are enough to know a message again.
        leaked |=
            contains(frame.payload, as_bytes(prompt.substr(10, 24))) || contains(frame.payload, as_bytes("token-"));
        leaked |= contains(frame.payload, user().id.bytes());
        if (frame.type != wire::FrameType::path_cell) return;
        Bytes body = to_bytes(ByteView(frame.payload).subspan(PathId::size));
        received[frame.to].insert(body);
        sent[frame.from].insert(body);
    });
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended);
    EXPECT_FALSE(leaked);
    std::size_t compared = 0;
    for (auto& [node, bodies] : received)
        for (const Bytes& body : bodies) {
            EXPECT_FALSE(sent[node].contains(body));
            ++compared;
        }
    EXPECT_GT(compared, 300u);
}

}  // namespace
}  // namespace planetserve::node
