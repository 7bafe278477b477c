// Answers whose node dies in mid-stream, in the whole overlay in virtual time.

#include "inference/answer_reader.h"
#include "node/overlay_fixture.h"

namespace planetserve::node {
namespace {

constexpr std::size_t tokens = 60;

class Resumption : public Overlay {
protected:
    Reply& ask_chat(const std::string& question, const std::string& more = "") {
        std::string body = R"({"model":"m","stream":true,"max_tokens":)" + std::to_string(tokens) + more +
                           R"(,"messages":[{"role":"user","content":")" + question + R"("}]})";
        return ask(body, "m", "/v1/chat/completions");
    }
    bool run_until_said(const Reply& reply, std::size_t pieces) {
        auto said = [&] {
            std::size_t count = 0;
            for (auto at = reply.text.find("token-"); at != reply.text.npos; at = reply.text.find("token-", at + 1))
                ++count;
            return count;
        };
        return clock_.run_until_true([&] { return said() >= pieces; }, 10s);
    }
    static inference::Answer read(const Reply& reply) {
        inference::AnswerReader reader(inference::Api::chat);
        reader.on_head(*reply.head);
        reader.feed(as_bytes(reply.text));
        reader.end();
        return reader.answer();
    }
    void expect_whole(const Reply& reply, const std::string& question) {
        ASSERT_TRUE(reply.ended) << (reply.error ? reply.error->message : "not over");
        auto answer = read(reply);
        EXPECT_EQ(answer.text, TokenEngine::answer(as_bytes(question), tokens));
        EXPECT_EQ(answer.finish_reason, "length");
        EXPECT_TRUE(answer.complete);
    }
    // The node that resumed, as the stream says.
    std::string resumed_by(const Reply& reply) {
        static const std::string mark = ": planetserve-resumed ";
        auto at = reply.text.find(mark);
        return at == reply.text.npos ? "" : reply.text.substr(at + mark.size(), 64);
    }
    void kill(ModelHost& model) {
        network_.kill(model.id);
        network_.rearm(user().id);
    }
    void expect_nothing_left() {
        clock_.run_for(40s);
        for (const auto& path : paths()) EXPECT_EQ(path.streams, 0u);
        EXPECT_EQ(user().node.requests().active(), 0u);
    }
};

TEST_F(Resumption, TheRestComesFromAnotherNode) {
    make(60, 2);
    auto& reply = ask_chat(prompt);
    ASSERT_TRUE(run_until_said(reply, 20));
    std::string before = reply.text;
    ModelHost& dead = serving(reply);
    ModelHost& other = dead.id == models_[0]->id ? *models_[1] : *models_[0];
    kill(dead);
    ASSERT_TRUE(finish(reply));
    expect_whole(reply, prompt);
    EXPECT_TRUE(reply.text.starts_with(before));
    EXPECT_EQ(resumed_by(reply), other.id.hex());
    EXPECT_EQ(user().node.requests().counters().resumed, 1u);
    expect_nothing_left();
}

TEST_F(Resumption, ASeededAnswerIsReplayed) {
    make(60, 2);
    auto& reply = ask_chat(prompt, R"(,"seed":5)");
    ASSERT_TRUE(run_until_said(reply, 40));
    kill(serving(reply));
    Time killed = clock_.now();
    ASSERT_TRUE(finish(reply));
    expect_whole(reply, prompt);
    // 60 pieces at 20 ms each were drawn again, not 20.
    EXPECT_GT(clock_.now() - killed, 1200ms);
    expect_nothing_left();
}

TEST_F(Resumption, WhereverItBreaksOff) {
    make(60, 24);
    for (std::size_t pieces : {1, 2, 3, 5, 9, 17, 30, 45, 58, 59, 60}) {
        SCOPED_TRACE(pieces);
        std::string question = prompt + std::to_string(pieces);
        auto& reply = ask_chat(question);
        ASSERT_TRUE(run_until_said(reply, pieces));
        kill(serving(reply));
        ASSERT_TRUE(finish(reply));
        expect_whole(reply, question);
    }
    expect_nothing_left();
}

TEST_F(Resumption, OfOneThatBreaksOffAgain) {
    make(60, 4);
    auto& reply = ask_chat(prompt);
    ASSERT_TRUE(run_until_said(reply, 10));
    kill(serving(reply));
    for (std::size_t pieces : {20, 30}) {
        ASSERT_TRUE(run_until_said(reply, pieces));
        for (auto& model : models_)
            if (model->engine.running() > 0 && network_.alive(model->id)) {
                kill(*model);
                break;
            }
    }
    ASSERT_TRUE(finish(reply));
    expect_whole(reply, prompt);
    EXPECT_EQ(user().node.requests().counters().resumed, 3u);
    expect_nothing_left();
}

TEST_F(Resumption, FailsWithWordsWhenNoNodeIsLeft) {
    make(60, 1);
    auto& reply = ask_chat(prompt);
    ASSERT_TRUE(run_until_said(reply, 10));
    kill(*models_.front());
    ASSERT_TRUE(finish(reply, 60s));
    ASSERT_TRUE(reply.error);
    EXPECT_FALSE(reply.ended);
    EXPECT_EQ(reply.error->code, ErrorCode::unavailable);
    EXPECT_FALSE(reply.error->message.empty());
    expect_nothing_left();
}

TEST_F(Resumption, StopsWhenItsUserHangsUpMeanwhile) {
    make(60, 2);
    for (Duration wait : {0ms, 30ms, 300ms}) {
        auto& reply = ask_chat(prompt + std::to_string(wait.count()));
        ASSERT_TRUE(run_until_said(reply, 10));
        if (wait == 0ms) kill(serving(reply));
        clock_.run_for(wait);
        std::string had = reply.text;
        hang_up(reply);
        clock_.run_for(5s);
        EXPECT_EQ(reply.text, had);
        EXPECT_FALSE(reply.over());
    }
    expect_nothing_left();
    for (auto& model : models_) EXPECT_TRUE(!network_.alive(model->id) || model->engine.running() == 0);
}

TEST_F(Resumption, WhatIsNoStreamOfTextFailsAsBefore) {
    make(60, 2, {.tokens = 200});
    auto& reply = ask(prompt);
    ASSERT_TRUE(clock_.run_until_true([&] { return !reply.text.empty(); }, 10s));
    kill(serving(reply));
    ASSERT_TRUE(finish(reply));
    EXPECT_TRUE(reply.error);
    EXPECT_EQ(user().node.requests().counters().resumed, 0u);
}

}  // namespace
}  // namespace planetserve::node
