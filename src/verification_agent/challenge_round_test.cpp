#include "verification_agent/challenge_round.h"

#include <gtest/gtest.h>

#include "simulator/event_queue.h"

namespace planetserve::verification_agent {
namespace {

// Model nodes that answer nothing; requests are kept.
struct SilentOverlay final : inference::Service {
    struct Handle final : inference::Exchange {
        void consumed(std::size_t) override {}
    };
    Result<std::unique_ptr<inference::Exchange>> start(inference::Request request,
                                                       inference::ReplySink& sink) override {
        asked.emplace_back(std::move(request), &sink);
        return std::make_unique<Handle>();
    }
    std::vector<std::pair<inference::Request, inference::ReplySink*>> asked;
};

class Round : public testing::Test {
protected:
    static constexpr Duration time = 80s;

    void start(ChallengeBy by, std::uint32_t challenges = 2) {
        verification::ChallengePlan plan{random_.id<crypto::VrfOutput>(), 2, 10, challenges};
        round_.start(plan, {{nodes_[0], {"m"}}, {nodes_[1], {"m", "n"}}}, time, by, clock_.read());
    }
    void run(Duration duration) {
        const Time end = clock_.now() + duration;
        while (clock_.now() < end) {
            round_.on_timer(clock_.read());
            clock_.run_for(std::min<Duration>(100ms, end - clock_.now()));
        }
        round_.on_timer(clock_.read());
    }

    SeededRandom random_{1};
    simulator::EventQueue clock_;
    std::vector<NodeId> nodes_{NodeId{{1}}, NodeId{{2}}};
    SilentOverlay overlay_;
    PromptPool pool_;
    ChallengeRound round_{overlay_, random_, pool_};
};

TEST_F(Round, EndsAfterThreeQuartersOfTheTime) {
    start(ChallengeBy::leader);
    EXPECT_TRUE(round_.started_by(ChallengeBy::leader));
    EXPECT_FALSE(round_.started_by(ChallengeBy::second_verifier));
    run(time * 3 / 4 - 100ms);
    EXPECT_FALSE(round_.finished(clock_.read()));
    run(100ms);
    ASSERT_TRUE(round_.finished(clock_.read()));
    EXPECT_EQ(round_.transcript(7).epoch, 7u);
    for (const auto& entry : round_.transcript(7).entries) EXPECT_FALSE(entry.answer);
    EXPECT_GT(round_.counters().asked, 0u);
    EXPECT_EQ(round_.counters().answered, 0u);
}

TEST_F(Round, ARefusalToAnswerIsNoAnswer) {
    const Time began = clock_.now();
    start(ChallengeBy::leader, 1);
    for (std::size_t replied = 0; !round_.finished(clock_.read());) {
        run(100ms);
        for (; replied < overlay_.asked.size(); ++replied) {
            overlay_.asked[replied].second->on_head({503, {}});
            overlay_.asked[replied].second->on_end();
        }
    }
    EXPECT_LT(clock_.now() - began, time * 3 / 4) << "nothing is left to wait for";
    EXPECT_EQ(round_.unanswered(), nodes_);
    EXPECT_NE(round_.counters().last_failure.find("status 503"), std::string::npos);
}

TEST_F(Round, ASecondVerifierWantsTheNodesOwnAnswer) {
    for (auto by : {ChallengeBy::leader, ChallengeBy::second_verifier}) {
        overlay_.asked.clear();
        start(by);
        run(time);
        ASSERT_FALSE(overlay_.asked.empty());
        for (const auto& [request, sink] : overlay_.asked)
            EXPECT_EQ(request.continues, by == ChallengeBy::second_verifier);
    }
}

TEST_F(Round, ChecksItsPreconditions) {
    EXPECT_DEATH(round_.finished(clock_.read()), "requires");
    EXPECT_DEATH(round_.unanswered(), "requires");
}

}  // namespace
}  // namespace planetserve::verification_agent
