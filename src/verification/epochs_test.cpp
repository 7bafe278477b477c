#include <gtest/gtest.h>

#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

ErrorCode code(const Status& status) { return status ? ErrorCode::internal : status.error().code; }

TEST(Schedule, PhasesFollowOneAnother) {
    Schedule schedule(UnixTime{5'000}, quick_parameters());
    EXPECT_EQ(schedule.epoch(UnixTime{0}), 0u);
    EXPECT_EQ(schedule.epoch(UnixTime{14'999}), 0u);
    EXPECT_EQ(schedule.epoch(UnixTime{15'000}), 1u);
    EXPECT_EQ(schedule.begin(3).milliseconds, 35'000);
    auto phase = [&](std::int64_t ms) { return schedule.phase(1, UnixTime{15'000 + ms}); };
    EXPECT_EQ(phase(-1), Phase::draw);
    EXPECT_EQ(phase(999), Phase::draw);
    EXPECT_EQ(phase(1'000), Phase::challenge);
    EXPECT_EQ(phase(3'999), Phase::challenge);
    EXPECT_EQ(phase(4'000), Phase::recheck);
    EXPECT_EQ(phase(5'000), Phase::commit);
    EXPECT_EQ(phase(6'000), Phase::reveal);
    EXPECT_EQ(phase(7'000), Phase::idle);
    EXPECT_EQ(phase(1'000'000), Phase::idle);
    EXPECT_EQ(schedule.turn(1, UnixTime{16'999}), 0u);
    EXPECT_EQ(schedule.turn(1, UnixTime{18'000}), 2u);
    EXPECT_EQ(schedule.next_change(1, UnixTime{15'000}).milliseconds, 16'000);
    EXPECT_EQ(schedule.next_change(1, UnixTime{16'500}).milliseconds, 17'000);
    EXPECT_EQ(schedule.next_change(1, UnixTime{21'000}).milliseconds, 22'000);
}

TEST(Epochs, TheLowestOutputLeads) {
    Scene scene(5);
    for (int epoch = 0; epoch < 5; ++epoch, scene.next_epoch()) {
        scene.draw_all();
        ASSERT_EQ(scene.machine->epoch().draws.size(), 5u);
        auto order = scene.machine->epoch().order();
        for (std::size_t i = 1; i < order.size(); ++i)
            EXPECT_LT(scene.machine->epoch().draws.at(order[i - 1]), scene.machine->epoch().draws.at(order[i]));
        scene.go(Phase::challenge);
        for (std::size_t place = 1; place < 5; ++place)
            EXPECT_EQ(code(scene.say(scene.drawn(place), scene.report(scene.drawn(place)))),
                      ErrorCode::permission_denied);
        EXPECT_TRUE(scene.say(scene.drawn(0), scene.report(scene.drawn(0))));
        EXPECT_EQ(scene.machine->epoch().report->leader, order[0]);
        EXPECT_EQ(scene.machine->epoch().second(), order[1]);
    }
}

TEST(Epochs, AMissingLeaderIsReplaced) {
    Scene scene(4);
    scene.draw_all();
    std::size_t first = scene.drawn(0), second = scene.drawn(1), third = scene.drawn(2);
    scene.go(Phase::challenge, 1);
    EXPECT_EQ(code(scene.say(first, scene.report(first))), ErrorCode::permission_denied) << "its turn is over";
    scene.go(Phase::challenge, 2);
    EXPECT_EQ(code(scene.say(second, scene.report(second))), ErrorCode::permission_denied);
    EXPECT_TRUE(scene.say(third, scene.report(third)));
    EXPECT_EQ(scene.machine->epoch().second(), scene.identities[scene.drawn(3)].id());
    // Once there is a report, a later leader has none to make.
    scene.next_epoch();
    scene.draw_all();
    scene.go(Phase::challenge);
    EXPECT_TRUE(scene.say(scene.drawn(0), scene.report(scene.drawn(0))));
    scene.go(Phase::challenge, 1);
    EXPECT_EQ(code(scene.say(scene.drawn(1), scene.report(scene.drawn(1)))), ErrorCode::already_exists);
}

TEST(Epochs, WithoutAReportNothingIsVotedOn) {
    Scene scene(4);
    scene.draw_all();
    scene.go(Phase::commit);
    EXPECT_EQ(code(scene.say(0, Commit{})), ErrorCode::not_found);
    scene.go(Phase::idle);
    EXPECT_TRUE(scene.machine->standings().empty());
    EXPECT_EQ(scene.machine->record(scene.identities[0].id()), VerifierRecord{}) << "nobody missed anything";
}

TEST(Epochs, DrawsAreProven) {
    Scene scene(4);
    scene.go(Phase::draw);
    EXPECT_EQ(code(scene.say(1, scene.draw(0))), ErrorCode::authentication) << "another's proof";
    Draw of_plan{crypto::vrf_prove(scene.identities[1], scene.machine->alpha(Purpose::plan))};
    EXPECT_EQ(code(scene.say(1, of_plan)), ErrorCode::authentication) << "of another purpose";
    Draw early = scene.draw(1);
    EXPECT_TRUE(scene.say(1, early));
    EXPECT_EQ(code(scene.say(1, early)), ErrorCode::already_exists);
    scene.go(Phase::challenge);
    EXPECT_EQ(code(scene.say(2, scene.draw(2))), ErrorCode::invalid_argument) << "too late";
    scene.next_epoch();
    EXPECT_EQ(code(scene.say(1, early)), ErrorCode::authentication) << "an old proof";
    Transaction old = scene.make(1, scene.draw(1));
    old.epoch = 0;
    EXPECT_EQ(code(scene.machine->apply(old)), ErrorCode::invalid_argument);
    old = scene.make(1, scene.draw(1));
    old.network.value[0] ^= 1;
    EXPECT_EQ(code(scene.machine->apply(old)), ErrorCode::permission_denied);
    old = scene.make(1, scene.draw(1));
    old.sender = scene.nodes[0];
    EXPECT_EQ(code(scene.machine->apply(old)), ErrorCode::permission_denied) << "no verifier";
}

TEST(Epochs, SeedsFollowFromOutputs) {
    Scene all(4), fewer(4);
    all.draw_all();
    fewer.go(Phase::draw);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(fewer.say(i, fewer.draw(i)));
    Seed before = all.machine->epoch().seed;
    all.next_epoch();
    fewer.next_epoch();
    EXPECT_NE(all.machine->epoch().seed, before);
    EXPECT_NE(all.machine->epoch().seed, fewer.machine->epoch().seed);
    // A pause of the chain leaves epochs out.
    all.epoch += 40;
    all.go(Phase::commit);
    EXPECT_EQ(all.machine->epoch().number, all.epoch);
    EXPECT_TRUE(all.machine->epoch().draws.empty());
    all.next_epoch();
    all.draw_all();
    EXPECT_EQ(all.machine->epoch().draws.size(), 4u);
    std::set<Bytes> alphas;
    Seed seed = first_seed(all.chain.network);
    for (Purpose purpose : {Purpose::draw, Purpose::plan})
        for (std::uint64_t epoch : {0, 1})
            for (std::string_view chain : {"a", "b"}) alphas.insert(alpha(chain, epoch, seed, purpose));
    EXPECT_EQ(alphas.size(), 8u);
}

// A chain that makes blocks only when there is something in them: a draw begins the next epoch.
TEST(Epochs, ADrawIsAdmittedBeforeItsEpochsFirstBlock) {
    Scene scene(4);
    scene.draw_all();
    scene.go(Phase::idle);
    UnixTime later = scene.machine->schedule().begin(1) + 10ms;
    ++scene.epoch;
    Draw draw{crypto::vrf_prove(scene.identities[2], scene.machine->draw_alpha(later))};
    Transaction transaction = scene.make(2, draw);
    EXPECT_TRUE(scene.machine->check(transaction, later));
    EXPECT_FALSE(scene.machine->check(transaction, later + 2s)) << "drawing is over then";
    EXPECT_FALSE(scene.machine->check(scene.make(1, draw), later));
    scene.block(later);
    EXPECT_TRUE(scene.say(2, draw));
    EXPECT_EQ(scene.machine->next_due().milliseconds, scene.machine->schedule().begin(1).milliseconds + 1'000);
}

TEST(ChallengePlan, FollowsFromTheOutputAlone) {
    SeededRandom random(5);
    ChallengePlan plan{random.id<crypto::VrfOutput>(), 10'000, 64, 2};
    std::size_t chosen = 0;
    for (int i = 0; i < 10'000; ++i) chosen += plan.challenged(random.id<NodeId>());
    EXPECT_NEAR(static_cast<double>(chosen), 64, 40) << "five standard deviations";
    ChallengePlan small = plan;
    small.population = 64;
    for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(small.challenged(random.id<NodeId>()));
    NodeId node = random.id<NodeId>();
    EXPECT_NE(plan.prompt_seed(node, 0), plan.prompt_seed(node, 1));
    ChallengePlan other = plan;
    other.output.value[0] ^= 1;
    EXPECT_NE(plan.prompt_seed(node, 0), other.prompt_seed(node, 0));
}

TEST(ChallengePlan, ALeaderCannotReportOthers) {
    Parameters parameters = quick_parameters();
    parameters.nodes_per_epoch = 4;
    Scene scene(4, 40, parameters);
    scene.draw_all();
    scene.go(Phase::challenge);
    std::size_t leader = scene.drawn(0);
    auto proof = scene.report(leader).plan_proof;
    ChallengePlan plan{*crypto::vrf_proof_to_hash(proof), 40, 4, 2};
    auto spared = std::ranges::find_if(scene.nodes, [&](const NodeId& node) { return !plan.challenged(node); });
    auto chosen = std::ranges::find_if(scene.nodes, [&](const NodeId& node) { return plan.challenged(node); });
    ASSERT_NE(spared, scene.nodes.end());
    ASSERT_NE(chosen, scene.nodes.end());
    EXPECT_EQ(code(scene.say(leader, scene.report(leader, {*spared}))), ErrorCode::invalid_argument);
    Report other_seed = scene.report(leader);
    other_seed.plan_proof = scene.draw(leader).proof;
    EXPECT_EQ(code(scene.say(leader, other_seed)), ErrorCode::authentication) << "no plan but its own";
    EXPECT_TRUE(scene.say(leader, scene.report(leader, {*chosen})));
    EXPECT_EQ(scene.machine->epoch().plan(parameters)->output, plan.output);
    scene.go(Phase::commit);
    Reveal reveal = scene.reveal_of({{*spared, Outcome::credit, one}});
    EXPECT_TRUE(scene.say(1, scene.commit_to(1, reveal)));
    scene.go(Phase::reveal);
    EXPECT_EQ(code(scene.say(1, reveal)), ErrorCode::invalid_argument) << "a score of one who was not challenged";
}

}  // namespace
}  // namespace planetserve::verification
