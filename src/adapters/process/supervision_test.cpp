#include "adapters/process/supervision.h"

#include <gtest/gtest.h>

namespace planetserve::adapters {
namespace {

using State = Supervision::State;
using Action = Supervision::Action;

class SupervisionTest : public testing::Test {
protected:
    // The next thing that the timer asks for, at its time.
    Action next() {
        EXPECT_NE(supervision_.next_timer(), Time::max());
        EXPECT_EQ(supervision_.on_timer(supervision_.next_timer() - 1us), Action::none) << "too early";
        now_ = supervision_.next_timer();
        return supervision_.on_timer(now_);
    }
    // One probe and its answer.
    Action probe(ProbeAnswer answer) {
        EXPECT_EQ(next(), Action::probe);
        return supervision_.probed(answer, now_);
    }
    void start_serving() {
        EXPECT_EQ(supervision_.run(now_), Action::launch);
        EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
        EXPECT_EQ(supervision_.state(), State::serving);
    }
    // How long it waits after an end now.
    Duration pause(Fault fault = Fault::program) {
        supervision_.ended(now_, fault);
        EXPECT_EQ(supervision_.state(), State::waiting);
        Time ended = now_;
        EXPECT_EQ(next(), Action::launch);
        return now_ - ended;
    }

    Time now_ = Time{} + 1h;
    SupervisionLimits limits_{.start_deadline = 10min};
    Supervision supervision_{limits_};
};

TEST_F(SupervisionTest, ProbesOftenUntilItServesAndThenSeldom) {
    Time began = now_;
    EXPECT_EQ(supervision_.run(now_), Action::launch);
    EXPECT_EQ(supervision_.state(), State::starting);
    EXPECT_EQ(probe(ProbeAnswer::failed), Action::none);
    EXPECT_EQ(now_ - began, 100ms);
    EXPECT_EQ(probe(ProbeAnswer::catching_up), Action::none);
    EXPECT_EQ(supervision_.state(), State::catching_up);
    EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
    EXPECT_EQ(now_ - began, 300ms);
    EXPECT_EQ(supervision_.state(), State::serving);
    EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
    EXPECT_EQ(now_ - began, 300ms + 5s);
}

TEST_F(SupervisionTest, KillsAProgramThatDoesNotAnswerWithinItsStartDeadline) {
    Time began = now_;
    (void)supervision_.run(now_);
    Action action = Action::none;
    while (action == Action::none) action = probe(ProbeAnswer::failed);
    EXPECT_EQ(action, Action::kill);
    EXPECT_EQ(supervision_.state(), State::waiting);
    EXPECT_GT(now_ - began, 10min);
    EXPECT_LE(now_ - began, 10min + 200ms);
    EXPECT_EQ(next(), Action::launch);
}

TEST_F(SupervisionTest, WithoutAStartDeadlineItWaitsForTheFirstAnswer) {
    supervision_ = Supervision(SupervisionLimits{});
    (void)supervision_.run(now_);
    for (int i = 0; i < 100'000; ++i) ASSERT_EQ(probe(ProbeAnswer::failed), Action::none);
    EXPECT_EQ(supervision_.state(), State::starting);
}

TEST_F(SupervisionTest, MissedProbesMakeItUnresponsiveAndThenKillIt) {
    start_serving();
    for (unsigned i = 1; i < limits_.kill_after; ++i) {
        EXPECT_EQ(probe(ProbeAnswer::failed), Action::none);
        EXPECT_EQ(supervision_.state(), i < limits_.unresponsive_after ? State::serving : State::unresponsive);
    }
    EXPECT_EQ(probe(ProbeAnswer::failed), Action::kill);
    EXPECT_EQ(supervision_.state(), State::waiting);
}

TEST_F(SupervisionTest, OneAnswerEndsARowOfMissedProbes) {
    start_serving();
    for (unsigned i = 0; i + 1 < limits_.kill_after; ++i) (void)probe(ProbeAnswer::failed);
    EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
    EXPECT_EQ(supervision_.state(), State::serving);
    EXPECT_EQ(probe(ProbeAnswer::failed), Action::none);
    EXPECT_EQ(supervision_.state(), State::serving);
}

TEST_F(SupervisionTest, AProbeWithoutAnAnswerFailsAtItsDeadline) {
    start_serving();
    for (unsigned i = 0; i < limits_.unresponsive_after; ++i) {
        EXPECT_EQ(next(), Action::probe);
        Time asked = now_;
        EXPECT_TRUE(supervision_.probing());
        EXPECT_EQ(next(), Action::none);
        EXPECT_EQ(now_ - asked, *limits_.probe_deadline);
        EXPECT_FALSE(supervision_.probing());
    }
    EXPECT_EQ(supervision_.state(), State::unresponsive);
}

TEST_F(SupervisionTest, WithoutADeadlineAProbeWaitsForItsAnswer) {
    limits_.probe_deadline.reset();
    supervision_ = Supervision(limits_);
    start_serving();
    EXPECT_EQ(next(), Action::probe);
    EXPECT_EQ(supervision_.next_timer(), Time::max());
    EXPECT_EQ(supervision_.probed(ProbeAnswer::serving, now_ + 1h), Action::none);
    EXPECT_EQ(supervision_.next_timer(), now_ + 1h + limits_.probe_serving);
}

TEST_F(SupervisionTest, WaitsLongerAfterEachEndUntilOneRanForAWhile) {
    (void)supervision_.run(now_);
    Duration expected = limits_.shortest_backoff;
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pause(), expected);
        expected = std::min(expected * 2, limits_.longest_backoff);
    }
    EXPECT_EQ(expected, limits_.longest_backoff);
    now_ += limits_.longest_backoff + 1us;
    EXPECT_EQ(pause(), limits_.shortest_backoff);
    EXPECT_EQ(supervision_.launches(), 12U);
}

// On the code before, a stranger who knew a request that ends an engine kept it down for 30 s each time.
TEST_F(SupervisionTest, EndsByRequestsDoNotKeepAProgramDown) {
    start_serving();
    for (int i = 0; i < 10; ++i) {
        EXPECT_EQ(pause(Fault::request), limits_.shortest_backoff);
        EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
    }
    EXPECT_EQ(pause(Fault::program), limits_.shortest_backoff);
    EXPECT_EQ(probe(ProbeAnswer::serving), Action::none);
    EXPECT_EQ(pause(Fault::program), 2 * limits_.shortest_backoff) << "by itself";
    EXPECT_EQ(pause(Fault::request), 4 * limits_.shortest_backoff) << "it had not served";
}

TEST_F(SupervisionTest, StopAsksAndThenKills) {
    start_serving();
    EXPECT_EQ(supervision_.stop(now_), Action::terminate);
    EXPECT_EQ(supervision_.state(), State::stopping);
    EXPECT_EQ(supervision_.stop(now_), Action::none) << "the grace is not begun anew";
    Time asked = now_;
    EXPECT_EQ(next(), Action::kill);
    EXPECT_EQ(now_ - asked, limits_.stop_grace);
    EXPECT_EQ(supervision_.state(), State::stopped);
    EXPECT_EQ(supervision_.next_timer(), Time::max());
}

TEST_F(SupervisionTest, AProgramThatEndsWhenAskedToIsNotStartedAgain) {
    start_serving();
    (void)supervision_.stop(now_);
    supervision_.ended(now_);
    EXPECT_EQ(supervision_.state(), State::stopped);
    EXPECT_EQ(supervision_.next_timer(), Time::max());
    EXPECT_EQ(supervision_.run(now_), Action::launch);
}

TEST_F(SupervisionTest, StopWhileItWaitsEndsAtOnce) {
    (void)supervision_.run(now_);
    supervision_.ended(now_);
    EXPECT_EQ(supervision_.stop(now_), Action::none);
    EXPECT_EQ(supervision_.state(), State::stopped);
    EXPECT_EQ(supervision_.on_timer(now_ + 1h), Action::none);
}

using SupervisionDeathTest = SupervisionTest;

TEST_F(SupervisionDeathTest, EventsThatCannotBeAreFaults) {
    EXPECT_DEATH(supervision_.ended(now_), "requires runs");
    EXPECT_DEATH((void)supervision_.probed(ProbeAnswer::serving, now_), "requires probing_");
    (void)supervision_.run(now_);
    EXPECT_DEATH((void)supervision_.run(now_), "requires state_ == State::stopped");
}

}  // namespace
}  // namespace planetserve::adapters
