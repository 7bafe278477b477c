// The state as leaves: the same blocks give the same bytes, a store that follows the changes holds them, and what was
// restored from them goes on alike.
#include <gtest/gtest.h>

#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

// Some epochs with everything in them: no answers, equivocation, missing votes, another leader.
Scene eventful(std::uint64_t seed = 1) {
    Scene scene(5, 6, quick_parameters(), {3, 2, 2, 2, 2}, seed);
    for (int epoch = 0; epoch < 6; ++epoch, scene.next_epoch()) {
        if (epoch == 3) {
            scene.draw_all();
            scene.go(Phase::challenge, 1);
            (void)scene.say(scene.drawn(1), scene.report(scene.drawn(1)));
            scene.go(Phase::recheck);
        } else {
            scene.reach_vote({scene.nodes[0], scene.nodes[3]}, {scene.nodes[3]});
        }
        if (epoch == 4) {
            scene.go(Phase::commit);
            (void)scene.say(4, Commit{{1}});
            (void)scene.say(4, Commit{{2}});
        }
        scene.vote([&](std::size_t i) -> std::optional<std::vector<Score>> {
            if (epoch == 2 && i == 1) return std::nullopt;
            std::vector<Score> scores;
            for (const NodeId& node : scene.nodes)
                scores.push_back({node, Outcome::credit, static_cast<Millionths>(scene.random.below(one + 1))});
            scores[3] = {scene.nodes[3], Outcome::no_answer, 0};
            scores[4] = {scene.nodes[4], i == 0 ? Outcome::inconclusive : Outcome::credit, i == 0 ? 0 : 900'000u};
            return scores;
        });
    }
    return scene;
}

TEST(State, TheSameBlocksGiveTheSameLeaves) {
    Scene scene = eventful();
    State other = *scene.initial;
    Leaves stored = other.leaves();
    (void)other.commit();
    for (const auto& block : scene.blocks) {
        other.begin_block(block.time, scene.nodes.size());
        for (const Bytes& transaction : block.transactions) (void)other.apply(transaction);
        for (const auto& [key, value] : other.commit()) {
            if (value) {
                stored[key] = *value;
            } else {
                stored.erase(key);
            }
        }
        ASSERT_EQ(stored, other.leaves()) << "a store follows the changes";
    }
    EXPECT_EQ(other.leaves(), scene.machine->leaves());
    EXPECT_GT(other.standings().size(), 3u);
    EXPECT_EQ(other.record(scene.identities[4].id()).equivocations, 1u);
    EXPECT_NE(eventful(2).machine->leaves(), other.leaves());
}

TEST(State, GoesOnAlikeAfterEachRestore) {
    Scene scene = eventful();
    State straight = *scene.initial, restarted = *scene.initial;
    for (const auto& block : scene.blocks) {
        State fresh = *scene.initial;
        ASSERT_TRUE(fresh.restore(restarted.leaves(), restarted.time()));
        restarted = std::move(fresh);
        for (State* machine : {&straight, &restarted}) {
            machine->begin_block(block.time, scene.nodes.size());
            for (const Bytes& transaction : block.transactions) (void)machine->apply(transaction);
            (void)machine->commit();
        }
        ASSERT_EQ(straight.leaves(), restarted.leaves());
        ASSERT_EQ(straight.epoch(), restarted.epoch());
        ASSERT_EQ(straight.standings(), restarted.standings());
    }
}

// Transactions of one block in any order: the same state, though what is said to each of them may differ.
TEST(State, TheOrderWithinABlockMakesNoDifference) {
    Scene scene = eventful();
    SeededRandom random(77);
    for (int round = 0; round < 20; ++round) {
        State shuffled = *scene.initial;
        for (auto block : scene.blocks) {
            random.shuffle(block.transactions);
            shuffled.begin_block(block.time, scene.nodes.size());
            for (const Bytes& transaction : block.transactions) (void)shuffled.apply(transaction);
            (void)shuffled.commit();
        }
        ASSERT_EQ(shuffled.leaves(), scene.machine->leaves());
    }
}

TEST(State, RefusesWhatIsNotItsOwn) {
    Scene scene = eventful();
    const Leaves leaves = scene.machine->leaves();
    auto restored = [&](auto change) {
        Leaves changed = leaves;
        change(changed);
        State machine = *scene.initial;
        Leaves before = machine.leaves();
        bool ok = machine.restore(changed, UnixTime{1}).has_value();
        if (!ok) {
            EXPECT_EQ(machine.leaves(), before) << "nothing changed";
        }
        return ok;
    };
    EXPECT_TRUE(restored([](Leaves&) {}));
    EXPECT_FALSE(restored([](Leaves& l) { l.erase(to_bytes("verification/epoch")); }));
    EXPECT_FALSE(restored([](Leaves& l) { l.erase(to_bytes("verification/parameters")); }));
    EXPECT_FALSE(restored([](Leaves& l) { l[to_bytes("verification/other")] = {}; }));
    EXPECT_FALSE(restored([](Leaves& l) { l[to_bytes("verification/epoch")].push_back(1); }));
    EXPECT_FALSE(restored([](Leaves& l) {
        Parameters parameters = quick_parameters();
        parameters.trust = 1;
        l[to_bytes("verification/parameters")] = encode(parameters);
    }));
    EXPECT_FALSE(restored([&](Leaves& l) {
        Bytes key = to_bytes("verification/node/");
        append(key, scene.nodes[0].bytes());
        Bytes other = to_bytes("verification/node/");
        append(other, scene.nodes[1].bytes());
        l[key] = l[other];
    }));
}

TEST(State, OldReputationsAreForgotten) {
    Parameters parameters = quick_parameters();
    parameters.forget_epochs = 5;
    Scene scene(4, 4, parameters);
    scene.reach_vote();
    scene.vote([&](std::size_t) { return std::optional(scene.credits({0, one})); });
    EXPECT_EQ(scene.reputation(0), 200'000u);
    for (int i = 0; i < 3; ++i) {
        scene.next_epoch();
        scene.reach_vote();
        scene.vote([&](std::size_t) { return std::optional(scene.credits({})); });
    }
    scene.next_epoch();
    scene.reach_vote();
    scene.vote([&](std::size_t) { return std::optional(std::vector<Score>{{scene.nodes[1], Outcome::credit, one}}); });
    scene.next_epoch();
    EXPECT_EQ(scene.reputation(0), 200'000u) << "leaving for a while does not clear it";
    scene.next_epoch();
    EXPECT_EQ(scene.reputation(0), parameters.initial);
    EXPECT_GT(scene.reputation(1), 900'000u);
}

}  // namespace
}  // namespace planetserve::verification
