// With shell scripts as programs.
#include "adapters/process/supervisor.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <chrono>
#include <fstream>

namespace planetserve::adapters {
namespace {

namespace fs = std::filesystem;
using State = Supervision::State;

struct Script final : SupervisedProgram {
    Result<ProgramCommand> prepare() override {
        ++prepared;
        if (unprepared) return planetserve::fail(ErrorCode::io, "no disk");
        return ProgramCommand{{"/bin/sh", "-c", script}, log};
    }
    void probe(AnswerProbe told) override {
        if (answers) return told(*answers);
        waiting.push_back(std::move(told));
    }
    void clean_up() override { ++cleaned; }
    void on_state(State state) override { states.push_back(state); }
    std::string late_words() const override { return "was late"; }
    std::string unresponsive_words() const override { return "did not answer"; }

    std::string script = "while :; do sleep 0.05; done";
    fs::path log;
    bool unprepared = false;
    std::optional<ProbeAnswer> answers = ProbeAnswer::serving;
    std::vector<AnswerProbe> waiting = {};
    int prepared = 0;
    int cleaned = 0;
    std::vector<State> states = {};
};

class SupervisorTest : public testing::Test {
protected:
    SupervisorTest() {
        std::string pattern = (fs::temp_directory_path() / "planetserve-supervisor-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
        folder_ = pattern;
        program_.log = folder_ / "log";
    }
    ~SupervisorTest() override { fs::remove_all(folder_); }

    Supervisor make() { return {context_, clock_, limits_, program_}; }
    template <typename Condition>
    bool run_until(Condition condition) {
        for (int i = 0; i < 1000 && !condition(); ++i) {
            context_.restart();
            context_.run_one_for(std::chrono::milliseconds(20));
        }
        return condition();
    }

    fs::path folder_;
    boost::asio::io_context context_;
    SystemClock clock_;
    SupervisionLimits limits_{.probe_starting = 5ms,
                              .probe_serving = 5ms,
                              .probe_deadline = 20ms,
                              .stop_grace = 50ms,
                              .shortest_backoff = 5ms};
    Script program_;
};

TEST_F(SupervisorTest, RestartsAProgramThatEndsAndSaysHowItEnded) {
    program_.script = "exit 7";
    program_.answers = ProbeAnswer::failed;
    auto supervisor = make();
    supervisor.run();
    EXPECT_EQ(supervisor.state(), State::starting);
    EXPECT_GT(supervisor.pid(), 0);
    ASSERT_TRUE(run_until([&] { return supervisor.launches() == 3; }));
    EXPECT_EQ(supervisor.last_end(), "exited with status 7");
    EXPECT_EQ(program_.prepared, 3);
    EXPECT_EQ(program_.cleaned, 2);
    EXPECT_EQ(program_.states[0], State::starting);
    EXPECT_EQ(program_.states[1], State::waiting);
}

TEST_F(SupervisorTest, APreparationThatFailsIsTriedAgain) {
    program_.unprepared = true;
    auto supervisor = make();
    supervisor.run();
    EXPECT_EQ(supervisor.state(), State::waiting);
    EXPECT_EQ(supervisor.last_end(), "could not be started: no disk");
    program_.unprepared = false;
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::serving; }));
    EXPECT_EQ(supervisor.launches(), 2U);
}

TEST_F(SupervisorTest, KillsAProgramThatStopsAnsweringAndIgnoresLateAnswers) {
    auto supervisor = make();
    supervisor.run();
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::serving; }));
    pid_t first = supervisor.pid();
    program_.answers.reset();
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::waiting; }));
    EXPECT_EQ(supervisor.last_end(), "did not answer and was killed");
    EXPECT_NE(::kill(first, 0), 0);
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::starting && !program_.waiting.empty(); }));
    for (const auto& answer : program_.waiting) answer(ProbeAnswer::serving);
    EXPECT_EQ(supervisor.state(), State::starting);
}

TEST_F(SupervisorTest, TheOwnerCanSayThatItsProgramIsOfNoMoreUse) {
    auto supervisor = make();
    supervisor.fail("nothing runs");
    EXPECT_EQ(supervisor.state(), State::stopped);
    supervisor.run();
    supervisor.fail("lost its disk");
    EXPECT_EQ(supervisor.state(), State::waiting);
    EXPECT_EQ(supervisor.last_end(), "lost its disk");
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::serving; }));
}

TEST_F(SupervisorTest, StopKillsAProgramThatIgnoresSigterm) {
    program_.script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
    auto supervisor = make();
    supervisor.run();
    ASSERT_TRUE(run_until([&] { return fs::exists(program_.log) && fs::file_size(program_.log) > 0; }));
    pid_t pid = supervisor.pid();
    supervisor.stop();
    EXPECT_EQ(supervisor.state(), State::stopping);
    ASSERT_TRUE(run_until([&] { return supervisor.state() == State::stopped; }));
    EXPECT_NE(::kill(pid, 0), 0);
    EXPECT_EQ(supervisor.launches(), 1U);
    supervisor.run();
    EXPECT_EQ(supervisor.launches(), 2U);
}

TEST_F(SupervisorTest, NothingIsToldOnceItIsGone) {
    program_.answers.reset();
    pid_t pid = 0;
    {
        auto supervisor = make();
        supervisor.run();
        pid = supervisor.pid();
        ASSERT_TRUE(run_until([&] { return !program_.waiting.empty(); }));
    }
    EXPECT_NE(::kill(pid, 0), 0);
    std::size_t told = program_.states.size();
    for (const auto& answer : program_.waiting) answer(ProbeAnswer::serving);
    context_.restart();
    context_.run_for(std::chrono::milliseconds(50));
    EXPECT_EQ(program_.states.size(), told);
}

}  // namespace
}  // namespace planetserve::adapters
