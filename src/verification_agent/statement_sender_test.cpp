#include "verification_agent/statement_sender.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::verification_agent {
namespace {

struct Recorder final : AgentOutput {
    void remember(const OwnStatements& statements) override { remembered = statements; }
    void submit(Bytes transaction) override { submitted.push_back(std::move(transaction)); }
    void fetch_transcript(const NodeId&, std::uint64_t) override {}
    void score(std::uint64_t, std::vector<ChallengeAnswer>) override {}

    OwnStatements remembered;
    std::vector<Bytes> submitted;
};

Now at(Duration time) { return {Time(time), UnixTime{}}; }

class Sending : public testing::Test {
protected:
    StatementSender make(OwnStatements remembered = {}) {
        return StatementSender(wire::NetworkId{{7}}, identity_, output_, std::move(remembered));
    }
    verification::Commit commit(std::uint8_t fill) const {
        verification::Commit made;
        made.digest.fill(fill);
        return made;
    }

    SeededRandom random_{1};
    crypto::Identity identity_ = crypto::Identity::generate(random_);
    Recorder output_;
};

TEST_F(Sending, RepeatsAStatementAfterAWhile) {
    auto sender = make();
    sender.prepare(StatementKind::commit, 3, commit(1));
    sender.send(StatementKind::commit, 3, at(10s));
    sender.send(StatementKind::commit, 3, at(10s + StatementSender::repeat_after - 1us));
    EXPECT_EQ(output_.submitted.size(), 1u);
    sender.send(StatementKind::commit, 3, at(10s + StatementSender::repeat_after));
    ASSERT_EQ(output_.submitted.size(), 2u);
    EXPECT_EQ(output_.submitted[0], output_.submitted[1]);
    auto parsed = verification::parse_transaction(output_.submitted[0]);
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->sender, identity_.id());
    EXPECT_EQ(parsed->epoch, 3u);
    EXPECT_EQ(std::get<verification::Commit>(parsed->body), commit(1));
}

TEST_F(Sending, SendsTheSameBytesAfterARestart) {
    auto before = make();
    before.prepare(StatementKind::commit, 3, commit(1));
    before.attach_transcript({1, 2, 3});
    before.remember();
    before.send(StatementKind::commit, 3, at(10s));
    auto after = make(output_.remembered);
    EXPECT_EQ(after.own().transcript, Bytes({1, 2, 3}));
    ASSERT_TRUE(after.has(StatementKind::commit, 3));
    EXPECT_FALSE(after.has(StatementKind::reveal, 3));
    after.send(StatementKind::commit, 3, at(10s));
    ASSERT_EQ(output_.submitted.size(), 2u);
    EXPECT_EQ(output_.submitted[0], output_.submitted[1]);
}

TEST_F(Sending, ANewEpochDropsTheOldOne) {
    auto sender = make();
    sender.prepare(StatementKind::commit, 3, commit(1));
    sender.prepare(StatementKind::commit, 4, commit(2));
    EXPECT_FALSE(sender.has(StatementKind::commit, 3));
    EXPECT_TRUE(sender.has(StatementKind::commit, 4));
    EXPECT_DEATH(sender.send(StatementKind::commit, 3, at(0s)), "requires has");
}

TEST_F(Sending, ADrawNeedsNoRemembering) {
    auto sender = make();
    sender.send_unprepared(StatementKind::draw, 5, verification::Draw{}, at(1s));
    sender.send_unprepared(StatementKind::draw, 5, verification::Draw{}, at(2s));
    sender.send_unprepared(StatementKind::draw, 6, verification::Draw{}, at(2s));
    EXPECT_EQ(output_.submitted.size(), 2u);
    EXPECT_EQ(sender.own(), OwnStatements());
}

}  // namespace
}  // namespace planetserve::verification_agent
