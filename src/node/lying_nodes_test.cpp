// Model nodes that lie, in the whole overlay in virtual time: every request of an honest user is answered while one
// node of four claims to be idle and does not answer, and no request ends more than two engines.

#include "node/overlay_fixture.h"

namespace planetserve::node {
namespace {

class LyingNodes : public Overlay {
protected:
    // The first one lies.
    ModelHost& liar() { return *models_.front(); }
    // All it says to users is lost: it takes what it gets, and is silent.
    void silence_liar() {
        network_.interfere([id = liar().id](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
            if (frame.from == id && frame.type == wire::FrameType::clove_reply) return {};
            return {{Duration{}, frame.payload}};
        });
    }
    // The others tell the directory that they are at work, as honest nodes do.
    void claim(std::uint32_t capacity) {
        change_directory([&](DirectoryView& view) {
            for (ModelNodeInfo& node : view.models) node.running = 2;
            view.models.front().capacity = capacity;
            view.models.front().running = view.models.front().queued = 0;
        });
    }
    void change_directory(const std::function<void(DirectoryView&)>& change) {
        DirectoryView view = user().node.requests().directory();
        change(view);
        user().node.requests().update_directory(view);
    }
    void expect_answered(Reply& reply, const std::string& body, Duration at_most = 60s) {
        ASSERT_TRUE(finish(reply, at_most)) << "not over";
        ASSERT_TRUE(reply.ended) << reply.error->message;
        EXPECT_EQ(reply.head->status, 200u);
        EXPECT_EQ(reply.text, TokenEngine::answer(as_bytes(body), 40));
    }
};

// On the code before, each of these waited for the liar's heartbeats until its client gave up.
TEST_F(LyingNodes, OneThatClaimsAMillionPlacesAndSaysItIsAtWorkForEverCostsNoRequest) {
    make(60, 4);
    liar().engine.fall_silent();
    claim(1'000'000);
    for (int i = 0; i < 40; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
    EXPECT_LE(liar().engine.started(), 2u) << "it was tried, and then avoided";
}

TEST_F(LyingNodes, OneThatClaimsAMillionPlacesAndIsSilentCostsNoRequest) {
    make(60, 4);
    silence_liar();
    claim(1'000'000);
    for (int i = 0; i < 40; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
    EXPECT_LE(liar().engine.started(), 2u);
}

// On the code before, its heartbeats kept the request for ever.
TEST_F(LyingNodes, OneThatBeginsItsAnswersAndSaysItIsAtWorkForEverCostsNoRequest) {
    make(60, 4);
    liar().engine.stand_still_after(3);
    claim(1'000'000);
    const std::string body = R"({"model":"m","stream":true,"messages":[{"role":"user","content":"hello"}]})";
    for (int i = 0; i < 12; ++i) {
        auto& reply = ask(body, "m", "/v1/chat/completions");
        ASSERT_TRUE(finish(reply, 5min)) << "not over";
        ASSERT_TRUE(reply.ended) << reply.error->message;
    }
    EXPECT_GT(liar().engine.started(), 0u);
    EXPECT_LE(liar().engine.started(), 3u) << "it was tried, and then avoided";
}

TEST_F(LyingNodes, AConversationLeavesTheNodeThatFailsIt) {
    make(60, 4);
    auto body = [](const std::string& messages) { return R"({"model":"m","messages":[)" + messages + "]}"; };
    std::string messages = R"({"role":"user","content":"hello"})";
    auto& first = ask(body(messages));
    ASSERT_TRUE(finish(first));
    ModelHost& failing = serving(first);
    failing.engine.fall_silent();
    NodeId second;
    for (int turn = 0; turn < 5; ++turn) {
        messages += R"(,{"role":"assistant","content":"x"},{"role":"user","content":"go on"})";
        auto& reply = ask(body(messages));
        ASSERT_TRUE(finish(reply, 150s));
        ASSERT_TRUE(reply.ended) << reply.error->message;
        if (turn == 0) second = serving(reply).id;
        EXPECT_EQ(serving(reply).id, second);
        EXPECT_NE(second, failing.id);
    }
    EXPECT_EQ(failing.engine.started(), 2u) << "the first turn, and the one that it failed";
}

// Sends everything to the liar, as an entry node does that believes its sync reports.
struct BelievingEntry final : exchange::Forwarding {
    std::optional<NodeId> place(const inference::Request& request, const std::set<NodeId>& excluded, Time) override {
        const bool stays = request.returns || (request.continues && heeds_continues);
        return stays || excluded.contains(to) ? std::nullopt : std::optional(to);
    }
    bool accepts_from(const NodeId&, const std::string&) override { return true; }
    NodeId to;
    bool heeds_continues = true;
};

class HandedOver : public LyingNodes {
protected:
    void make_group() {
        make(60, 4);
        entry_.to = liar().id;
        for (auto& model : models_)
            if (model != models_.front()) model->node.set_forwarding(entry_);
        models_.front()->node.set_forwarding(takes_);
    }
    BelievingEntry entry_;
    struct Takes final : exchange::Forwarding {
        std::optional<NodeId> place(const inference::Request&, const std::set<NodeId>&, Time) override {
            return std::nullopt;
        }
        bool accepts_from(const NodeId&, const std::string&) override { return true; }
    } takes_;
};

// On the code before, three times three entry nodes forwarded each of these to the liar, and then it failed.
TEST_F(HandedOver, ToANodeThatTakesAllAndIsSilentEveryRequestIsAnswered) {
    make_group();
    silence_liar();
    for (int i = 0; i < 12; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
}

TEST_F(HandedOver, ToANodeThatTakesAllAndNeverAnswersEveryRequestIsAnswered) {
    make_group();
    liar().engine.fall_silent();
    for (int i = 0; i < 12; ++i) {
        const Time asked = clock_.now();
        expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
        if (i > 1) {
            EXPECT_LT(clock_.now() - asked, 3s) << "what is handed to it is taken back at once";
        }
    }
}

// On the code before, the attempt ended where the node could no longer be asked, and the request waited for ever.
TEST_F(HandedOver, ByANodeThatHasLeftTheListEveryRequestEnds) {
    make_group();
    liar().engine.fall_silent();
    for (int i = 0; i < 3; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
    auto& reply = ask(prompt);
    change_directory([](DirectoryView& view) { view.models.resize(1); });
    ASSERT_TRUE(finish(reply, 15min)) << "it holds its place";
    EXPECT_TRUE(reply.error);
    EXPECT_EQ(user().node.requests().active(), 0u);
}

// On the code before, such a node answered.
TEST_F(HandedOver, ToABannedNodeItIsAnsweredByAnother) {
    make_group();
    change_directory([](DirectoryView& view) { view.models.front().trusted = false; });
    for (int i = 0; i < 4; ++i) {
        auto& reply = ask(prompt + std::to_string(i));
        expect_answered(reply, prompt + std::to_string(i));
        EXPECT_NE(serving(reply).id, liar().id);
    }
}

// On the code before, it failed: the one node that may answer was not asked again.
TEST_F(HandedOver, ToABannedNodeItIsAnsweredByTheOnlyOtherItself) {
    make(60, 2);
    entry_.to = liar().id;
    models_.back()->node.set_forwarding(entry_);
    models_.front()->node.set_forwarding(takes_);
    change_directory([](DirectoryView& view) { view.models.front().trusted = false; });
    for (int i = 0; i < 4; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
}

// A node may forward what says that it continues a conversation, where all its places are taken. On the code before,
// that failed with "wrong cloves".
TEST_F(HandedOver, ByTheOnlyNodeThatMayAnswerItIsAnsweredByThatOne) {
    make_group();
    entry_.heeds_continues = false;
    for (int i = 0; i < 4; ++i) {
        auto request = request_for(prompt + std::to_string(i));
        request.node = models_.back()->id;
        request.continues = true;
        auto& reply = ask(std::move(request));
        expect_answered(reply, prompt + std::to_string(i));
        EXPECT_EQ(serving(reply).id, models_.back()->id);
    }
    EXPECT_EQ(user().node.requests().counters().corrupt_lanes, 0u) << "no path is blamed";
}

TEST_F(HandedOver, ToANodeOfAnotherModelItIsAnsweredByAnother) {
    make_group();
    change_directory([](DirectoryView& view) { view.models.front().models = {"other"}; });
    auto& reply = ask(prompt);
    expect_answered(reply, prompt);
    EXPECT_NE(serving(reply).id, liar().id);
}

// On the code before, such a request was tried on three nodes, and again by each retry of the client's.
TEST_F(LyingNodes, ARequestThatEndsEnginesEndsTwoAtMost) {
    make(60, 4);
    for (auto& model : models_) model->engine.fail_with({ErrorCode::internal, "the engine ended"});
    auto& reply = ask(prompt);
    ASSERT_TRUE(finish(reply));
    ASSERT_TRUE(reply.error);
    EXPECT_EQ(reply.error->code, ErrorCode::invalid_argument) << "clients do not repeat it";
    EXPECT_NE(reply.error->message.find("engine_failed"), std::string::npos);
    EXPECT_EQ(started(), 2u);
}

TEST_F(LyingNodes, ARequestWhoseEngineEndedIsAnsweredByAnother) {
    make(60, 4);
    liar().engine.fail_with({ErrorCode::internal, "the engine ended"});
    for (int i = 0; i < 20; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
}

TEST_F(LyingNodes, AnErrorThatASecondNodeRepeatsGoesToNoThird) {
    make(60, 4);
    for (auto& model : models_) model->engine.refuse_with(500);
    auto& repeated = ask(prompt + "1");
    ASSERT_TRUE(finish(repeated));
    ASSERT_TRUE(repeated.head);
    EXPECT_EQ(repeated.head->status, 500u);
    EXPECT_EQ(started(), 2u);
    for (auto& model : models_) model->engine.refuse_with(501);
    auto& never = ask(prompt + "2");
    ASSERT_TRUE(finish(never));
    ASSERT_TRUE(never.head);
    EXPECT_EQ(never.head->status, 501u);
    EXPECT_EQ(started(), 3u) << "no engine does what this one cannot";
}

TEST_F(LyingNodes, AModelThatWasListedLatelyIsUnavailableAndNotUnknown) {
    make(30, 1);
    change_directory([](DirectoryView& view) { view.models.front().models = {"other"}; });
    auto& lately = ask(prompt);
    ASSERT_TRUE(lately.error);
    EXPECT_EQ(lately.error->code, ErrorCode::unavailable) << "its engine may be restarting";
    clock_.run_for(10min);
    auto& long_ago = ask(prompt);
    ASSERT_TRUE(long_ago.error);
    EXPECT_EQ(long_ago.error->code, ErrorCode::not_found);
}

// On the code before, the 65th and all later ones waited for streams until they failed.
TEST_F(LyingNodes, MoreRequestsThanThePathsCarryAreRefusedAtOnce) {
    make(60, 2, {.tokens = 200, .capacity = 256});
    std::vector<Reply*> all;
    for (int i = 0; i < 100; ++i) all.push_back(&ask(prompt + std::to_string(i)));
    std::size_t refused = 0;
    for (Reply* reply : all) {
        if (!reply->error) continue;
        ++refused;
        EXPECT_EQ(reply->error->code, ErrorCode::exhausted) << reply->error->message;
    }
    EXPECT_EQ(refused, 36u) << "each path carries 64";
    for (Reply* reply : all) {
        ASSERT_TRUE(finish(*reply));
        EXPECT_TRUE(reply->ended || reply->error->code == ErrorCode::exhausted);
    }
}

TEST_F(LyingNodes, OneWhoseOnionKeyIsOfSmallOrderCostsNoRequest) {
    make(60, 4);
    change_directory([](DirectoryView& view) { view.models.front().onion_key.value = {1}; });
    for (int i = 0; i < 20; ++i) expect_answered(ask(prompt + std::to_string(i)), prompt + std::to_string(i));
    change_directory([](DirectoryView& view) { view.models.resize(1); });
    Reply sink;
    auto started = user().node.requests().start(
        {random_.id<IdempotencyId>(), "POST", "/v1/completions", "text/plain", "m", to_bytes(prompt)}, sink);
    ASSERT_FALSE(started);
    EXPECT_EQ(started.error().code, ErrorCode::unavailable) << "it is no fault of the request";
    EXPECT_FALSE(sink.error) << "a sink is told nothing before start() returned";
}

}  // namespace
}  // namespace planetserve::node
