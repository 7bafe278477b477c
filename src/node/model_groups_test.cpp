// Groups of model nodes in the whole overlay, in virtual time: which node gets which request.

#include "node/overlay_fixture.h"

namespace planetserve::node {
namespace {

class Groups : public Overlay {
protected:
    void make_group(std::size_t models, simulator::TokenEngineOptions engine = {}) {
        make(40, models, engine);
        for (auto& model : models_) model->node.groups().add("m", {});
        tell_list();
        clock_.run_for(11s);
    }
    void tell_list() {
        std::vector<routing::Peer> list;
        for (auto& model : models_)
            if (network_.alive(model->id)) list.push_back({model->id, reputation_[model->id] < 0 ? 0.1 : 0.5});
        for (auto& model : models_) {
            std::vector<routing::Peer> others = list;
            std::erase_if(others, [&](const auto& peer) { return peer.id == model->id; });
            model->node.groups().set_peers("m", others, 0.5);
            network_.rearm(model->id);
        }
    }
    static std::string body(const std::string& text) { return R"({"model":"m","prompt":")" + text + R"("})"; }
    ModelHost& answer(const std::string& text) {
        auto& reply = ask(body(text));
        EXPECT_TRUE(finish(reply));
        EXPECT_TRUE(reply.ended) << (reply.error ? reply.error->message : "");
        return serving(reply);
    }
    std::uint64_t forwarded() const {
        std::uint64_t count = 0;
        for (auto& model : models_)
            for (const auto& group : model->node.groups().status()) count += group.forwarded;
        return count;
    }

    std::map<NodeId, int> reputation_;
    const std::string long_text_ = std::string(6000, 'a');
};

TEST_F(Groups, ARepeatedPrefixGoesToTheNodeThatHasIt) {
    make_group(4);
    ModelHost& holder = answer(long_text_);
    clock_.run_for(10s);
    for (int i = 0; i < 12; ++i) {
        EXPECT_EQ(&answer(long_text_ + std::to_string(i)), &holder);
        clock_.run_for(1s);
    }
    EXPECT_GE(forwarded(), 5u) << "users drew any of the four";
}

TEST_F(Groups, AShortConversationStaysWhereItBegan) {
    make_group(4);
    for (int conversation = 0; conversation < 4; ++conversation) {
        std::string messages = R"({"role":"user","content":"hello )" + std::to_string(conversation) + R"("})";
        ModelHost* first = nullptr;
        for (int turn = 0; turn < 5; ++turn) {
            auto& reply = ask(R"({"model":"m","messages":[)" + messages + "]}", "m", "/v1/chat/completions");
            ASSERT_TRUE(finish(reply));
            ASSERT_TRUE(reply.ended) << reply.error->message;
            if (turn == 0) first = &serving(reply);
            EXPECT_EQ(&serving(reply), first) << "no whole chunk tells that this node has it";
            messages += R"(,{"role":"assistant","content":"x"},{"role":"user","content":"go on"})";
        }
    }
}

TEST_F(Groups, WhatANodeHeldIsForgottenWithIt) {
    make_group(3);
    ModelHost& holder = answer(long_text_);
    clock_.run_for(10s);
    network_.kill(holder.id);
    for (int i = 0; i < 4; ++i) EXPECT_NE(&answer(long_text_ + std::to_string(i)), &holder);
}

TEST_F(Groups, AnUntrustedNodeGetsNothingAndHandsNothingOver) {
    make_group(3);
    ModelHost& holder = answer(long_text_);
    reputation_[holder.id] = -1;
    tell_list();
    clock_.run_for(10s);
    DirectoryView view = asker().node.asker().directory();
    std::erase_if(view.models, [&](const auto& model) { return model.id == holder.id; });
    asker().node.asker().update_directory(view);
    for (int i = 0; i < 6; ++i) EXPECT_NE(&answer(long_text_ + std::to_string(i)), &holder);
    for (auto& model : models_) {
        if (model.get() == &holder) continue;
        EXPECT_FALSE(model->node.groups().accepts_from(holder.id, "m"));
    }
}

TEST_F(Groups, RequestsWithoutAPromptRunWhereTheyComeIn) {
    make_group(3);
    for (int i = 0; i < 6; ++i) {
        auto& reply = ask("no JSON " + std::to_string(i));
        ASSERT_TRUE(finish(reply));
        EXPECT_TRUE(reply.ended);
    }
    EXPECT_EQ(forwarded(), 0u);
}

TEST_F(Groups, ManyAtOnceAreSpread) {
    make_group(4, {.tokens = 60, .capacity = 64});
    std::vector<Reply*> all;
    for (int i = 0; i < 40; ++i)
        all.push_back(&ask(body(std::string(3000, static_cast<char>('a' + i % 26)) + std::to_string(i))));
    std::map<NodeId, int> served;
    for (Reply* reply : all) {
        ASSERT_TRUE(finish(*reply));
        ASSERT_TRUE(reply->ended);
        ++served[serving(*reply).id];
    }
    EXPECT_EQ(served.size(), 4u);
    for (const auto& [id, count] : served) EXPECT_LE(count, 20);
}

}  // namespace
}  // namespace planetserve::node
