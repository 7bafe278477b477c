// Requests that a model node forwards to another of its group, in the whole overlay in virtual time.

#include "node/overlay_fixture.h"

namespace planetserve::node {
namespace {

// Sends everything to one node, if it is not excluded.
struct SendTo final : exchange::Forwarding {
    std::optional<NodeId> place(const inference::Request& request, const std::set<NodeId>& excluded, Time) override {
        ++placed;
        if (request.continues) return std::nullopt;
        if (!to || excluded.contains(*to)) return std::nullopt;
        return to;
    }
    bool accepts_from(const NodeId&, const std::string&) override { return accepts; }
    void on_outcome(const std::string&, const NodeId&, const NodeId&, exchange::ForwardOutcome outcome) override {
        outcomes.push_back(outcome);
    }

    std::optional<NodeId> to;
    bool accepts = true;
    std::vector<exchange::ForwardOutcome> outcomes;
    int placed = 0;
};

class ForwardedRequest : public Overlay {
protected:
    // Node 0 serves all; the others forward everything to it. Users know all of them.
    void make_group(std::size_t models, simulator::TokenEngineOptions engine = {}) {
        make(60, models, engine);
        for (auto& model : models_) {
            auto& forwarding = forwardings_.emplace_back(std::make_unique<SendTo>());
            if (model != models_.front()) forwarding->to = models_.front()->id;
            model->node.set_forwarding(*forwarding);
        }
    }
    // So that requests enter by one of the others.
    void enter_by_others() {
        DirectoryView view = user().node.requests().directory();
        view.models.front().running = 1000;
        user().node.requests().update_directory(view);
    }
    const exchange::ModelSideCounters& counters(std::size_t model) {
        return models_[model]->node.model_side().counters();
    }

    std::vector<std::unique_ptr<SendTo>> forwardings_;
};

TEST_F(ForwardedRequest, IsAnsweredByTheOtherNodeStraightToTheUser) {
    make_group(2, {.tokens = 200});
    enter_by_others();
    std::uint64_t between = 0;
    network_.tap([&](Time, const Frame& frame) {
        if (frame.from == models_[0]->id && frame.to == models_[1]->id) between += frame.payload.size();
    });
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt), 200));
    EXPECT_EQ(&serving(reply), models_[0].get());
    EXPECT_EQ(counters(1).forwarded, 1u);
    EXPECT_EQ(counters(0).taken_over, 1u);
    EXPECT_EQ(models_[1]->engine.started(), 0u);
    EXPECT_LT(between, 100u) << "the answer does not go by way of the entry node";
    EXPECT_EQ(user().node.requests().counters().forwarded, 1u);
    clock_.run_for(10s);
    for (auto& model : models_) EXPECT_EQ(model->node.model_side().exchanges(), 0u);
    for (const auto& path : paths()) EXPECT_EQ(path.streams, 0u);
}

TEST_F(ForwardedRequest, OfAnySizeIsServed) {
    make_group(2);
    enter_by_others();
    for (std::size_t size : {std::size_t{0}, std::size_t{100'000}, wire::maximum_forwarded_body,
                             wire::maximum_forwarded_body + 1, std::size_t{3'000'000}}) {
        SCOPED_TRACE(size);
        std::string body(size, 'x');
        auto& reply = ask(body);
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(body), 40));
        EXPECT_EQ(&serving(reply), models_[size <= wire::maximum_forwarded_body ? 0 : 1].get());
    }
}

TEST_F(ForwardedRequest, ThatTheOtherNodeRefusesIsServedByTheOneThatWasAsked) {
    make_group(2);
    enter_by_others();
    models_[0]->engine.refuse_with(500);
    for (int i = 0; i < 3; ++i) {
        auto& reply = ask(prompt + std::to_string(i));
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.head);
        EXPECT_EQ(reply.head->status, 200u);
        EXPECT_EQ(&serving(reply), models_[1].get());
    }
    EXPECT_EQ(counters(1).forwarded, 3u);
    models_[1]->engine.refuse_with(502);
    auto& last = ask(prompt);
    ASSERT_TRUE(finish(last));
    ASSERT_TRUE(last.head);
    EXPECT_GE(last.head->status, 500u);
}

TEST_F(ForwardedRequest, SurvivesLostPathsBeforeAndAfter) {
    make_group(2, {.tokens = 400});
    enter_by_others();
    for (Duration wait : {20ms, 60ms, 100ms, 1000ms}) {
        SCOPED_TRACE(wait.count());
        auto& reply = ask(prompt + std::to_string(wait.count()));
        clock_.run_for(wait);
        auto live = paths();
        for (int i = 0; i < 2; ++i) network_.kill(live[i].relays[i]);
        network_.rearm(user().id);
        ASSERT_TRUE(finish(reply));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt + std::to_string(wait.count())), 400));
        clock_.run_for(40s);
    }
}

TEST_F(ForwardedRequest, SurvivesTheEntryNodesDeathOnceItIsTaken) {
    make_group(2, {.tokens = 400});
    enter_by_others();
    auto& reply = ask(prompt);
    ASSERT_TRUE(clock_.run_until_true([&] { return !reply.text.empty(); }, 10s));
    network_.kill(models_[1]->id);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(prompt), 400));
    EXPECT_EQ(started(), 1u);
}

TEST_F(ForwardedRequest, StopsWhenItsUserHangsUp) {
    make_group(2, {.tokens = 100000});
    enter_by_others();
    auto& reply = ask(prompt);
    clock_.run_for(1s);
    EXPECT_EQ(models_[0]->engine.running(), 1u);
    hang_up(reply);
    clock_.run_for(1s);
    EXPECT_EQ(models_[0]->engine.running(), 0u);
    EXPECT_EQ(models_[0]->node.model_side().exchanges(), 0u);
}

TEST_F(ForwardedRequest, RunsWhereItCameInWhenTheOtherIsDeadSilentOrRefuses) {
    make_group(2);
    enter_by_others();
    forwardings_[0]->accepts = false;
    auto& refused = ask(prompt + "1");
    ASSERT_TRUE(finish(refused, 3s));
    EXPECT_TRUE(refused.ended);
    EXPECT_EQ(&serving(refused), models_[1].get());
    forwardings_[0]->accepts = true;

    network_.interfere([&](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from == models_[0]->id) return {};
        return {{Duration{}, frame.payload}};
    });
    auto& silent = ask(prompt + "2");
    ASSERT_TRUE(finish(silent, 6s));
    ASSERT_TRUE(silent.ended) << silent.error->message;
    EXPECT_EQ(&serving(silent), models_[1].get());
    network_.interfere(nullptr);

    network_.kill(models_[0]->id);
    auto& dead = ask(prompt + "3");
    ASSERT_TRUE(finish(dead, 6s));
    ASSERT_TRUE(dead.ended) << dead.error->message;
    EXPECT_EQ(dead.text, TokenEngine::answer(as_bytes(prompt + "3"), 40));
}

TEST_F(ForwardedRequest, IsHandedOnOnce) {
    make_group(3);
    enter_by_others();
    forwardings_[0]->to = models_[2]->id;
    forwardings_[2]->to = models_[0]->id;
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.ended) << reply.error->message;
    EXPECT_EQ(started(), 1u);
    EXPECT_EQ(&serving(reply), models_[0].get());
}

TEST_F(ForwardedRequest, IsJoinedByItsRetry) {
    make_group(2, {.tokens = 100});
    enter_by_others();
    auto id = random_.id<IdempotencyId>();
    std::vector<std::unique_ptr<Reply>> replies;
    for (int i = 0; i < 3; ++i) {
        auto& reply = *replies.emplace_back(std::make_unique<Reply>());
        auto started =
            user().node.requests().start({id, "POST", "/v1/completions", "text/plain", "m", to_bytes(prompt)}, reply);
        ASSERT_TRUE(started);
        reply.exchange = std::move(*started);
        network_.rearm(user().id);
        clock_.run_for(500ms);
    }
    for (auto& reply : replies) {
        ASSERT_TRUE(finish(*reply));
        EXPECT_EQ(reply->text, TokenEngine::answer(as_bytes(prompt), 100));
    }
    EXPECT_EQ(started(), 1u);
}

TEST_F(ForwardedRequest, ThatNobodyHandedOverIsNotAnswered) {
    make_group(2);
    // A node that is no member sends a request and garbage.
    forwardings_[0]->accepts = false;
    auto& stranger = network_.sender(users_[5]->id);
    Bytes payload(36 + 40, 1);
    ASSERT_TRUE(stranger.send(models_[0]->id, wire::FrameType::forward_request, {payload}));
    ASSERT_TRUE(stranger.send(models_[0]->id, wire::FrameType::forward_answer, {ByteView(payload).first(33)}));
    ASSERT_TRUE(stranger.send(models_[0]->id, wire::FrameType::forward_control, {payload}));
    clock_.run_for(1s);
    EXPECT_EQ(started(), 0u);
    EXPECT_EQ(models_[0]->node.model_side().exchanges(), 0u);
    EXPECT_GE(counters(0).refused, 1u);
}

}  // namespace
}  // namespace planetserve::node
