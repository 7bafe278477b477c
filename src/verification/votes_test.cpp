#include <gtest/gtest.h>

#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

// Everyone's credit as often as it weighs, in order; the middle one, the lower where there are two.
Millionths naive_median(const std::vector<std::pair<Millionths, std::uint64_t>>& values) {
    std::vector<Millionths> all;
    for (const auto& [value, weight] : values) all.insert(all.end(), weight, value);
    std::ranges::sort(all);
    return all[(all.size() - 1) / 2];
}

TEST(Median, AgreesWithTheNaiveOne) {
    SeededRandom random(2);
    for (int round = 0; round < 2'000; ++round) {
        std::vector<std::pair<Millionths, std::uint64_t>> values(1 + random.below(9));
        for (auto& [value, weight] : values) {
            value = static_cast<Millionths>(random.below(20));
            weight = 1 + random.below(5);
        }
        EXPECT_EQ(weighted_median(values), naive_median(values));
    }
}

// With a quorum of more than 2/3, and less than 1/3 dishonest, the median lies between honest votes.
TEST(Median, StaysBetweenHonestVotes) {
    SeededRandom random(4);
    for (int round = 0; round < 2'000; ++round) {
        std::uint64_t total = 0, dishonest = 0, voted = 0;
        std::vector<std::pair<std::uint64_t, bool>> powers(4 + random.below(6));
        for (auto& [power, bad] : powers) {
            power = 1 + random.below(10);
            total += power;
        }
        for (auto& [power, bad] : powers)
            if ((dishonest + power) * 3 < total && random.below(2) == 0) {
                bad = true;
                dishonest += power;
            }
        std::vector<std::pair<Millionths, std::uint64_t>> votes;
        Millionths lowest = one, highest = 0;
        for (const auto& [power, bad] : powers) {
            if (bad) {
                votes.emplace_back(random.below(2) == 0 ? 0 : one, power);
            } else if ((voted + power) * 3 <= total * 2 || random.below(2) == 0) {
                auto value = static_cast<Millionths>(400'000 + random.below(100'000));
                lowest = std::min(lowest, value);
                highest = std::max(highest, value);
                votes.emplace_back(value, power);
            } else {
                continue;
            }
            voted += power;
        }
        if (voted * 3 <= total * 2) continue;
        Millionths median = weighted_median(votes);
        EXPECT_GE(median, lowest);
        EXPECT_LE(median, highest);
    }
}

TEST(Votes, AQuorumOfPowerMovesAReputation) {
    auto after = [](std::vector<std::uint64_t> powers, std::set<std::size_t> voters) {
        Scene scene(powers.size(), 4, quick_parameters(), powers);
        scene.reach_vote();
        scene.vote(
            [&](std::size_t i) { return voters.contains(i) ? std::optional(scene.credits({one})) : std::nullopt; });
        return scene.reputation(0);
    };
    EXPECT_EQ(after({1, 1, 1, 1}, {0, 1, 2}), 800'000u);
    EXPECT_EQ(after({1, 1, 1, 1}, {0, 1}), 500'000u);
    EXPECT_EQ(after({1, 1, 1}, {0, 1}), 500'000u) << "two thirds are not more than two thirds";
    EXPECT_EQ(after({7, 1, 1, 1}, {0}), 800'000u);
    EXPECT_EQ(after({7, 1, 1, 1}, {1, 2, 3}), 500'000u);
    EXPECT_EQ(after({1}, {0}), 800'000u);
}

TEST(Votes, InconclusiveChangesNothing) {
    Scene scene(4);
    scene.reach_vote();
    scene.vote([&](std::size_t i) {
        std::vector<Score> scores = scene.credits({one, one});
        if (i < 2) scores[1] = {scene.nodes[1], Outcome::inconclusive, 0};
        return std::optional(scores);
    });
    EXPECT_EQ(scene.reputation(0), 800'000u);
    EXPECT_EQ(scene.reputation(1), 500'000u) << "only half of the power had a credit to give";
    EXPECT_FALSE(scene.machine->standings().contains(scene.nodes[1]));
}

TEST(Votes, NoAnswerCountsWhenTwoVerifiersGotNone) {
    auto after = [](std::vector<std::size_t> unanswered, std::vector<std::size_t> still) {
        Scene scene(4);
        auto nodes = [&](const auto& indices) {
            std::vector<NodeId> ids;
            for (std::size_t i : indices) ids.push_back(scene.nodes[i]);
            return ids;
        };
        scene.reach_vote(nodes(unanswered), nodes(still));
        scene.vote(
            [&](std::size_t) { return std::optional(std::vector<Score>{{scene.nodes[0], Outcome::no_answer, 0}}); });
        return scene.reputation(0);
    };
    EXPECT_EQ(after({0, 1}, {0}), 200'000u);
    EXPECT_EQ(after({0, 1}, {1}), 500'000u) << "the second got an answer";
    EXPECT_EQ(after({1}, {1}), 500'000u) << "the leader got one";
    EXPECT_EQ(after({0, 1}, {}), 500'000u);
}

TEST(Votes, TheSecondVerifierAloneRechecks) {
    Scene scene(4);
    scene.draw_all();
    scene.go(Phase::challenge);
    (void)scene.say(scene.drawn(0), scene.report(scene.drawn(0), {scene.nodes[2]}));
    EXPECT_FALSE(scene.say(scene.drawn(1), Recheck{{scene.nodes[2]}})) << "too early";
    scene.go(Phase::recheck);
    EXPECT_FALSE(scene.say(scene.drawn(2), Recheck{{scene.nodes[2]}}));
    EXPECT_FALSE(scene.say(scene.drawn(0), Recheck{{scene.nodes[2]}}));
    EXPECT_FALSE(scene.say(scene.drawn(1), Recheck{{scene.nodes[1]}})) << "the leader had its answer";
    EXPECT_TRUE(scene.say(scene.drawn(1), Recheck{{scene.nodes[2]}}));
    EXPECT_TRUE(scene.machine->epoch().gave_no_answer(scene.nodes[2]));
}

TEST(Votes, ARevealMustBeCommittedTo) {
    Scene scene(4);
    scene.reach_vote();
    scene.go(Phase::commit);
    Reveal reveal = scene.reveal_of(scene.credits({one}));
    EXPECT_TRUE(scene.say(0, scene.commit_to(0, reveal)));
    EXPECT_FALSE(scene.say(0, reveal)) << "too early";
    // Another's commitment is worth nothing: it names its verifier.
    EXPECT_TRUE(scene.say(1, scene.commit_to(0, reveal)));
    scene.go(Phase::reveal);
    EXPECT_TRUE(scene.say(0, reveal));
    EXPECT_FALSE(scene.say(1, reveal));
    EXPECT_EQ(scene.machine->record(scene.identities[1].id()).equivocations, 1u);
    EXPECT_FALSE(scene.say(2, reveal));
    EXPECT_EQ(scene.machine->record(scene.identities[2].id()).equivocations, 0u) << "it committed to nothing";
}

TEST(Votes, AVerifierFarFromTheMedianIsFlaggedAndForgiven) {
    Scene scene(4);
    const NodeId liar = scene.identities[3].id();
    auto epoch = [&](bool lies) {
        scene.reach_vote();
        scene.vote([&](std::size_t i) {
            return std::optional(
                scene.credits({900'000, 800'000, lies && i == 3 ? 0 : 900'000u, lies && i == 3 ? 0 : one}));
        });
        scene.next_epoch();
    };
    for (int i = 0; i < 4; ++i) epoch(true);
    EXPECT_FALSE(scene.machine->flagged(liar)) << "half of its votes are far: not more than half";
    auto lie_in_all = [&] {
        scene.reach_vote();
        scene.vote([&](std::size_t i) {
            return std::optional(scene.credits(std::vector<Millionths>(4, i == 3 ? 0 : 900'000)));
        });
        scene.next_epoch();
    };
    for (int i = 0; i < 4; ++i) lie_in_all();
    EXPECT_FALSE(scene.machine->flagged(liar));
    lie_in_all();
    EXPECT_TRUE(scene.machine->flagged(liar)) << "five far epochs";
    for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(scene.machine->flagged(scene.identities[i].id()));
    for (int i = 0; i < 16; ++i) epoch(false);
    EXPECT_FALSE(scene.machine->flagged(liar)) << "sixteen epochs later";
}

TEST(Votes, WhoDoesNotVoteMissesTheEpoch) {
    Scene scene(4);
    scene.reach_vote();
    scene.vote([&](std::size_t i) { return i == 2 ? std::nullopt : std::optional(scene.credits({one})); });
    EXPECT_EQ(scene.machine->record(scene.identities[2].id()).missed_epochs, 1u);
    EXPECT_EQ(scene.machine->record(scene.identities[1].id()).missed_epochs, 0u);
}

}  // namespace
}  // namespace planetserve::verification
