// A verifier that says two different things: both are void, in whatever order they come.
#include <gtest/gtest.h>

#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

class Equivocation : public testing::Test {
protected:
    std::uint32_t counted(std::size_t verifier) const {
        return scene_.machine->record(scene_.identities[verifier].id()).equivocations;
    }
    Scene scene_{4};
};

TEST_F(Equivocation, TwoReportsGiveTheNextLeaderItsTurn) {
    scene_.draw_all();
    std::size_t first = scene_.drawn(0), second = scene_.drawn(1);
    scene_.go(Phase::challenge);
    EXPECT_TRUE(scene_.say(first, scene_.report(first, {}, 1)));
    EXPECT_FALSE(scene_.say(first, scene_.report(first, {}, 1))) << "the same once more is nothing new";
    EXPECT_EQ(counted(first), 0u);
    Report other = scene_.report(first, {}, 2);
    EXPECT_TRUE(scene_.machine->check(scene_.make(first, other), scene_.machine->time())) << "it must get into a block";
    EXPECT_FALSE(scene_.say(first, other));
    EXPECT_EQ(counted(first), 1u);
    EXPECT_FALSE(scene_.machine->epoch().report);
    EXPECT_FALSE(scene_.machine->check(scene_.make(first, other), scene_.machine->time())) << "once is enough";
    EXPECT_FALSE(scene_.say(first, scene_.report(first, {}, 1)));
    EXPECT_EQ(counted(first), 1u);
    scene_.go(Phase::challenge, 1);
    EXPECT_TRUE(scene_.say(second, scene_.report(second)));
    // A report that is wrong in itself is no second one.
    Report wrong = scene_.report(second, {}, 9);
    wrong.plan_proof.value[0] ^= 1;
    EXPECT_FALSE(scene_.say(second, wrong));
    EXPECT_EQ(counted(second), 0u);
    EXPECT_TRUE(scene_.machine->epoch().report);
}

TEST_F(Equivocation, TwoRechecksAreNone) {
    scene_.reach_vote({scene_.nodes[0], scene_.nodes[1]}, {scene_.nodes[0]});
    std::size_t second = scene_.drawn(1);
    EXPECT_FALSE(scene_.say(second, Recheck{{scene_.nodes[1]}}));
    EXPECT_EQ(counted(second), 1u);
    EXPECT_FALSE(scene_.machine->epoch().recheck);
    EXPECT_TRUE(scene_.machine->epoch().report) << "the leader's own word stands";
}

TEST_F(Equivocation, TwoCommitsAreNone) {
    scene_.reach_vote();
    scene_.go(Phase::commit);
    Reveal one_way = scene_.reveal_of(scene_.credits({one})), other_way = scene_.reveal_of(scene_.credits({0}));
    EXPECT_TRUE(scene_.say(0, scene_.commit_to(0, one_way)));
    EXPECT_FALSE(scene_.say(0, scene_.commit_to(0, other_way)));
    EXPECT_EQ(counted(0), 1u);
    EXPECT_FALSE(scene_.machine->ballots().contains(scene_.identities[0].id()));
    EXPECT_FALSE(scene_.say(0, scene_.commit_to(0, one_way)));
    scene_.go(Phase::reveal);
    EXPECT_FALSE(scene_.say(0, one_way));
    EXPECT_EQ(counted(0), 1u) << "once an epoch";
    // The next epoch is a new one.
    scene_.next_epoch();
    EXPECT_TRUE(scene_.say(0, scene_.draw(0)));
}

TEST_F(Equivocation, ARevealOfSomethingElseIsASecondVote) {
    scene_.reach_vote();
    scene_.go(Phase::commit);
    Reveal committed = scene_.reveal_of(scene_.credits({one})), other = scene_.reveal_of(scene_.credits({0}));
    for (std::size_t i : {0u, 1u}) EXPECT_TRUE(scene_.say(i, scene_.commit_to(i, committed)));
    scene_.go(Phase::reveal);
    EXPECT_TRUE(scene_.say(0, committed));
    EXPECT_FALSE(scene_.say(0, other));
    EXPECT_FALSE(scene_.say(1, other));
    EXPECT_FALSE(scene_.say(1, committed));
    for (std::size_t i : {0u, 1u}) {
        EXPECT_EQ(counted(i), 1u);
        EXPECT_FALSE(scene_.machine->ballots().contains(scene_.identities[i].id()));
    }
}

// A leader that contradicts itself as a voter has led all the same: others voted on its report.
TEST_F(Equivocation, TheReportOutlivesItsLeadersVote) {
    scene_.reach_vote();
    std::size_t leader = scene_.drawn(0);
    scene_.go(Phase::commit);
    EXPECT_TRUE(scene_.say(leader, Commit{{1}}));
    EXPECT_FALSE(scene_.say(leader, Commit{{2}}));
    EXPECT_TRUE(scene_.machine->epoch().report);
    scene_.vote([&](std::size_t) { return std::optional(scene_.credits({one})); });
    EXPECT_EQ(scene_.reputation(0), 800'000u) << "three of four voted";
}

}  // namespace
}  // namespace planetserve::verification
