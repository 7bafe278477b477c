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
            if (network_.alive(model->id)) list.push_back({model->id, trust_[model->id]});
        for (auto& model : models_) {
            std::vector<routing::Peer> others = list;
            std::erase_if(others, [&](const auto& peer) { return peer.id == model->id; });
            model->node.groups().set_peers("m", others, routing::Trust::trusted);
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

    std::map<NodeId, routing::Trust> trust_;
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

// On the code before, entry nodes handed it requests as long as it lived.
TEST_F(Groups, ANodeThatTakesRequestsAndDoesNotAnswerThemIsHandedNoMore) {
    make_group(4);
    ModelHost& holder = answer(long_text_);
    clock_.run_for(10s);
    // It tells its group all that it should, and users nothing.
    network_.interfere([id = holder.id](const Frame& frame) -> std::vector<std::pair<Duration, Bytes>> {
        if (frame.from == id && frame.type == wire::FrameType::clove_reply) return {};
        return {{Duration{}, frame.payload}};
    });
    for (int i = 0; i < 16; ++i) {
        EXPECT_NE(&answer(long_text_ + std::to_string(i)), &holder);
        clock_.run_for(1s);
    }
    EXPECT_LE(holder.node.model_side().counters().taken_over, 5u)
        << "the honest one; one from each entry node, and two more where it had delivered before";
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
    trust_[holder.id] = routing::Trust::not_trusted;
    tell_list();
    clock_.run_for(10s);
    DirectoryView view = user().node.requests().directory();
    std::erase_if(view.models, [&](const auto& model) { return model.id == holder.id; });
    user().node.requests().update_directory(view);
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

// Tells what it is asked when the test says so: a token for each of the text's bytes.
struct SlowTokenizer final : inference::Tokenizer {
    void tokenize(std::string_view path, ByteView asked, Handler handler) override {
        EXPECT_EQ(path, "/v1/completions");
        EXPECT_EQ(to_string(asked), body);
        waiting.push_back(std::move(handler));
    }
    void tell(std::size_t tokens) {
        inference::PromptTokens told;
        for (std::size_t i = 0; i < tokens; ++i) told.ids.push_back(static_cast<std::uint32_t>(i));
        for (auto& handler : std::exchange(waiting, {})) handler(told);
    }
    std::string body;
    std::vector<Handler> waiting;
};

TEST_F(Groups, AnEngineThatTellsWhatItHoldsIsBelieved) {
    make(40, 2);
    SlowTokenizer tokenizer;
    tokenizer.body = body(long_text_);
    ModelGroupOptions options;
    options.member.follow_cache = true;
    for (auto& model : models_) {
        model->node.groups().add("m", options);
        model->node.groups().follow_cache("m", tokenizer);
        model->node.groups().on_cache_unknown("m", true);
    }
    tell_list();
    clock_.run_for(11s);
    ModelHost& holder = answer(long_text_);
    ModelHost& other = *models_[&holder == models_[0].get() ? 1 : 0];
    auto held = [&] { return holder.node.groups().status()[0].own_prefixes; };
    auto believed = [&] { return other.node.groups().status()[0].peers.at(0).prefixes; };
    // The engine stored 5,120 of the prompt's 6,000 tokens, in two blocks.
    routing::BlocksStored stored;
    stored.hashes = {{1}, {2}};
    stored.block_size = 2560;
    for (std::uint32_t token = 0; token < 5120; ++token) stored.tokens.push_back(token);
    holder.node.groups().on_cache_events("m", std::vector<routing::CacheEvent>{stored});
    ASSERT_EQ(tokenizer.waiting.size(), 1u);
    EXPECT_GE(held(), 6000u / 256);
    tokenizer.tell(6000);
    network_.rearm(holder.id);
    clock_.run_for(7s);
    EXPECT_EQ(held(), 5120u / 256) << "the last block is not whole, so it is not held";
    EXPECT_EQ(believed(), held());
    holder.node.groups().on_cache_events("m", std::vector<routing::CacheEvent>{routing::BlocksRemoved{{{2}}, {}, 0}});
    clock_.run_for(6s);
    EXPECT_EQ(held(), 2560u / 256);
    EXPECT_EQ(believed(), held());
    holder.node.groups().on_cache_unknown("m", false);
    clock_.run_for(6s);
    EXPECT_EQ(held(), 0u);
    EXPECT_EQ(believed(), 0u);
}

}  // namespace
}  // namespace planetserve::node
