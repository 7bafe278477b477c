#include "routing/array_agreement.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace planetserve::routing {
namespace {

const ChunkLengths initial{0, {}, 256, 1024};
ChunkLengths array(std::uint32_t version, std::vector<std::uint32_t> lengths) {
    return {version, std::move(lengths), 256, 1024};
}

struct ArrayAgreementTest : testing::Test {
    // A sync period: each member hears the stances that all had after the previous one.
    void period() {
        std::vector<ArrayStance> told;
        for (const ArrayAgreement& member : members) told.push_back(member.stance());
        const std::size_t size = members.size() + hostile.size();
        for (std::size_t i = 0; i < members.size(); ++i) {
            for (std::size_t j = 0; j < members.size(); ++j)
                if (i != j) members[i].on_stance(static_cast<HolderIndex>(j), told[j]);
            for (std::size_t j = 0; j < hostile.size(); ++j)
                members[i].on_stance(static_cast<HolderIndex>(members.size() + j), hostile[j]);
            members[i].on_period(votes[i], seen_enough, size);
            members[i].update(size);
        }
    }
    void periods(int count) {
        for (int i = 0; i < count; ++i) period();
    }
    void expect_all(const ChunkLengths& expected) {
        for (const ArrayAgreement& member : members) EXPECT_EQ(member.current(), expected);
    }
    void start(std::size_t count) {
        members.assign(count, ArrayAgreement(initial));
        votes.assign(count, {});
    }

    std::vector<ArrayAgreement> members;
    std::vector<BoundaryVotes> votes;
    std::vector<ArrayStance> hostile;
    bool seen_enough = true;
};

TEST_F(ArrayAgreementTest, ABoundaryIsInTheArrayWhenMoreThanHalfFoundIt) {
    start(5);
    // All found about 1000; three of five found 5000; two found 7000.
    votes = {{1000, 5000}, {1001, 7000}, {1002, 5003}, {1003, 5009, 7000}, {1004}};
    periods(4);
    expect_all(array(1, {1002, 32, 5003 - 1034, 32}));
}

TEST_F(ArrayAgreementTest, MembersOfDifferentSamplesAgreeAllTheSame) {
    // Each found a different two of the three boundaries.
    start(3);
    votes = {{500, 900}, {900, 2000}, {500, 2000}};
    periods(4);
    expect_all(array(1, {500, 32, 900 - 532, 32, 2000 - 932, 32}));
}

TEST_F(ArrayAgreementTest, NeedsMoreThanHalf) {
    start(4);
    votes[0] = votes[1] = {1000};
    periods(4);
    expect_all(initial);
    votes[2] = {1003};
    periods(4);
    // The member without a vote follows.
    expect_all(array(1, {1000, 32}));
}

TEST_F(ArrayAgreementTest, OneHostileMemberMovesNobody) {
    for (const ArrayStance& lie :
         {ArrayStance{array(1, {1, 32}), {1}}, ArrayStance{array(9, {1, 32}), {1}}, ArrayStance{array(1, {}), {}},
          ArrayStance{array(1, {984, 32}), {984, 985, 986, 987, 1016, 1017}},
          ArrayStance{array(1, {1016, 32}), {1016, 3000, 5000}}}) {
        start(3);
        hostile = {lie};
        periods(4);
        expect_all(initial);
        votes.assign(3, {1000, 5000});
        periods(4);
        expect_all(array(1, {1000, 32, 5000 - 1032, 32}));
    }
}

TEST_F(ArrayAgreementTest, ALateMemberFollows) {
    members.assign(3, ArrayAgreement(array(7, {500, 32})));
    members.emplace_back(initial);
    votes.assign(4, {});
    seen_enough = false;
    periods(2);
    expect_all(array(7, {500, 32}));
    EXPECT_FALSE(members.back().update(4)) << "told once";
}

TEST_F(ArrayAgreementTest, WhoHasSeenLittleKeepsWhatIsThere) {
    members.assign(3, ArrayAgreement(array(7, {500, 32, 1000, 32})));
    votes.assign(3, {});
    seen_enough = false;
    periods(40);
    expect_all(array(7, {500, 32, 1000, 32}));
    votes.assign(3, {700});
    periods(4);
    expect_all(array(8, {500, 32, 168, 32, 800, 32}));
}

TEST_F(ArrayAgreementTest, ChangesAreFewAndKeepWhatIsThere) {
    start(3);
    votes.assign(3, {1000});
    periods(4);
    expect_all(array(1, {1000, 32}));
    // 1009 is the same boundary, which keeps its place. 3000 is a new one, which comes after the pause.
    votes.assign(3, {1009, 3000});
    periods(10);
    expect_all(array(1, {1000, 32}));
    periods(20);
    expect_all(array(2, {1000, 32, 3000 - 1032, 32}));
    // A boundary that nobody finds any more stays until half of them are gone, or another one comes.
    votes.assign(3, {3000, 9000});
    periods(30);
    expect_all(array(3, {3000, 32, 9000 - 3032, 32}));
    votes.assign(3, {3000});
    periods(30);
    expect_all(array(4, {3000, 32}));
    votes.assign(3, {});
    periods(30);
    expect_all(array(5, {}));
}

TEST_F(ArrayAgreementTest, WhateverIsVotedForTheArrayIsValid) {
    SeededRandom random(1);
    for (int round = 0; round < 300; ++round) {
        start(1 + random.below(4));
        for (BoundaryVotes& vote : votes) {
            std::uint32_t at = 0;
            for (std::size_t i = 0; i < maximum_votes; ++i)
                vote.push_back(at += 1 + static_cast<std::uint32_t>(random.below(random.below(2) == 0 ? 20 : 900)));
        }
        periods(4);
        for (const ArrayAgreement& member : members) EXPECT_TRUE(member.current().validate());
        if (members.size() == 1) {
            EXPECT_EQ(members[0].current().version, 1u);
        }
    }
}

}  // namespace
}  // namespace planetserve::routing
