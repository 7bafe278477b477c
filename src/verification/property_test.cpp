// What the whole is for: honest nodes stay trusted, dishonest ones do not, and less than a third of dishonest power
// changes nothing.
#include <gtest/gtest.h>

#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

// An honest node's credit, C = min(1, 3 min(p) / 0.05): three p-values against 200 calibration runs, uniform as they
// are for honest answers. Below tau in about 2% of epochs.
Millionths honest_credit(Random& random) {
    std::uint64_t least = std::min({random.below(201), random.below(201), random.below(201)}) + 1;
    return static_cast<Millionths>(std::min(1.0, 3 * static_cast<double>(least) / 201 / 0.05) * one);
}
// Of a node that runs another model: its least p-value is the calibration's end, 1 / 201.
constexpr Millionths dishonest_credit = 298'507;
// Verifiers measure almost the same.
Millionths measured(Millionths credit, Random& random) {
    auto noise = static_cast<std::int64_t>(random.below(20'001)) - 10'000;
    return static_cast<Millionths>(std::clamp<std::int64_t>(credit + noise, 0, one));
}

// Honest nodes whose credits are not abnormal are trusted for 50 epochs, a dishonest one of four is not from the fifth
// on.
TEST(Property, HonestNodesStayTrustedAndADishonestOneDoesNot) {
    for (std::uint64_t seed : {1u, 2u, 3u}) {
        Scene scene(4, 4, quick_parameters(), {}, seed);
        for (int epoch = 1; epoch <= 50; ++epoch) {
            scene.reach_vote();
            std::vector<Millionths> truth;
            for (std::size_t node = 0; node < 3; ++node)
                truth.push_back(std::max(honest_credit(scene.random), Millionths{420'000}));
            truth.push_back(dishonest_credit);
            scene.vote([&](std::size_t) {
                std::vector<Millionths> seen;
                for (Millionths credit : truth) seen.push_back(measured(credit, scene.random));
                return std::optional(scene.credits(seen));
            });
            for (std::size_t node = 0; node < 3; ++node)
                ASSERT_TRUE(scene.machine->trusted(scene.nodes[node])) << "epoch " << epoch << ", seed " << seed;
            if (epoch >= 5) {
                ASSERT_FALSE(scene.machine->trusted(scene.nodes[3])) << "epoch " << epoch;
            }
            scene.next_epoch();
        }
        for (const auto& identity : scene.identities) EXPECT_FALSE(scene.machine->flagged(identity.id()));
    }
}

// With the abnormal scores that honest nodes have by chance: 2,000 of them for 50 epochs fall rarely, and are soon
// back.
TEST(Property, HonestNodesFallRarely) {
    Parameters parameters;
    SeededRandom random(12);
    std::size_t untrusted = 0, longest = 0;
    for (int node = 0; node < 2'000; ++node) {
        Standing standing = initial_standing(parameters);
        std::size_t running = 0;
        for (std::uint64_t epoch = 0; epoch < 50; ++epoch) {
            standing = after_score(standing, honest_credit(random), epoch, parameters);
            running = standing.reputation < parameters.trust ? running + 1 : 0;
            untrusted += running > 0;
            longest = std::max(longest, running);
        }
    }
    EXPECT_LT(untrusted, 150u) << "of 100,000; 73 are expected";
    EXPECT_LE(longest, 4u);
}

enum class Behaviour { honest, nonsense, praise_all, withholds_reveal, silent, equivocates, does_not_draw };

// Twelve epochs in which one verifier of four may behave so; the standings after each.
std::vector<std::map<NodeId, Standing>> run(Behaviour behaviour, std::uint64_t* equivocations = nullptr) {
    Scene scene(4);
    SeededRandom truth(8), nonsense(9);
    std::vector<std::map<NodeId, Standing>> standings;
    const std::size_t bad = 3;
    for (int epoch = 0; epoch < 12; ++epoch) {
        scene.go(Phase::draw);
        for (std::size_t i = 0; i < 4; ++i) {
            if (i == bad && behaviour == Behaviour::does_not_draw) continue;
            EXPECT_TRUE(scene.say(i, scene.draw(i)));
        }
        // Where it should lead it reports twice, or not at all; the next one does.
        scene.go(Phase::challenge);
        std::uint32_t turn = 0;
        if (scene.drawn(0) == bad && behaviour != Behaviour::honest) {
            if (behaviour == Behaviour::equivocates) {
                (void)scene.say(bad, scene.report(bad, {}, 1));
                (void)scene.say(bad, scene.report(bad, {}, 2));
            }
            scene.go(Phase::challenge, ++turn);
        }
        EXPECT_TRUE(scene.say(scene.drawn(turn), scene.report(scene.drawn(turn))));
        scene.go(Phase::recheck);
        std::vector<Score> scores = scene.credits({honest_credit(truth), dishonest_credit, 0, one});
        std::vector<Score> shown = scores;
        std::map<std::size_t, Reveal> reveals;
        scene.go(Phase::commit);
        for (std::size_t i = 0; i < 4; ++i) {
            if (i == bad && behaviour == Behaviour::silent) continue;
            if (i == bad && (behaviour == Behaviour::nonsense || behaviour == Behaviour::praise_all))
                for (Score& score : shown)
                    score.credit =
                        behaviour == Behaviour::praise_all ? one : static_cast<Millionths>(nonsense.below(one + 1));
            reveals.emplace(i, scene.reveal_of(i == bad ? shown : scores));
            (void)scene.say(i, scene.commit_to(i, reveals.at(i)));
            if (i == bad && behaviour == Behaviour::equivocates) (void)scene.say(i, Commit{{1}});
        }
        scene.go(Phase::reveal);
        for (const auto& [i, reveal] : reveals)
            if (i != bad || behaviour != Behaviour::withholds_reveal) (void)scene.say(i, reveal);
        scene.go(Phase::idle);
        standings.push_back(scene.machine->standings());
        scene.next_epoch();
    }
    if (equivocations) *equivocations = scene.machine->record(scene.identities[bad].id()).equivocations;
    return standings;
}

TEST(Property, LessThanAThirdOfThePowerChangesNothing) {
    auto honest = run(Behaviour::honest);
    ASSERT_EQ(honest.back().size(), 4u);
    for (Behaviour behaviour : {Behaviour::nonsense, Behaviour::praise_all, Behaviour::withholds_reveal,
                                Behaviour::silent, Behaviour::equivocates, Behaviour::does_not_draw})
        EXPECT_EQ(run(behaviour), honest) << "behaviour " << static_cast<int>(behaviour);
    std::uint64_t equivocations = 0;
    run(Behaviour::equivocates, &equivocations);
    EXPECT_EQ(equivocations, 12u) << "once in each epoch";
}

// Two of four are more than a third: they can stop it, and that is all.
TEST(Property, AThirdCanStopUpdatesOnly) {
    Scene scene(4);
    for (int epoch = 0; epoch < 10; ++epoch) {
        scene.reach_vote();
        scene.vote([&](std::size_t i) {
            return i >= 2 ? std::nullopt : std::optional(scene.credits(std::vector<Millionths>(4, 0)));
        });
        scene.next_epoch();
    }
    EXPECT_TRUE(scene.machine->standings().empty());
}

}  // namespace
}  // namespace planetserve::verification
