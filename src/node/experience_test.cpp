#include "node/experience.h"

#include <gtest/gtest.h>

#include "node/patience.h"

namespace planetserve::node {
namespace {

Server node(std::uint8_t number, const std::string& model = "m") {
    Server server{{}, model};
    server.node.value[0] = number;
    return server;
}

TEST(Experience, OneFailureOutweighsWhatIsUnknownAndIsForgottenInTime) {
    Experience experience;
    Time now{1h};
    EXPECT_EQ(experience.reliability(node(1), now), 1);
    experience.failed(node(1), blame::full, now);
    EXPECT_TRUE(experience.fails_mostly(node(1), now));
    EXPECT_EQ(experience.failing(now), std::set<NodeId>{node(1).node});
    EXPECT_GT(experience.expected_loss(node(1), now), 19s);
    now += 20min;
    EXPECT_FALSE(experience.fails_mostly(node(1), now));
    EXPECT_LT(experience.expected_loss(node(1), now), 100ms);
}

TEST(Experience, DeliveriesAreNotSavedUpForFailures) {
    Experience experience;
    Time now{1h};
    for (int i = 0; i < 1000; ++i) experience.delivered(node(1), {}, now);
    EXPECT_LE(experience.deliveries(node(1), now), ExperienceLimits{}.maximum_weight);
    int failures = 0;
    while (!experience.fails_mostly(node(1), now) && failures < 100) {
        experience.failed(node(1), blame::full, now);
        ++failures;
    }
    EXPECT_LE(failures, 12);
}

TEST(Experience, ComparesTimesOfQuestionsOfAnyLength) {
    Experience experience;
    Time now{1h};
    EXPECT_FALSE(experience.usual_time(node(1), now));
    experience.delivered(node(1), {.first_byte = 4s, .request_bytes = 48 << 10}, now);
    experience.delivered(node(2), {.first_byte = 1s, .request_bytes = 0, .bytes_per_second = 16 << 10}, now);
    EXPECT_EQ(experience.usual_time(node(1), now), Duration{1s});
    EXPECT_EQ(experience.usual_time(node(2), now), Duration{2s}) << "a usual answer takes a second";
    EXPECT_EQ(experience.first_byte(node(1), 48 << 10, now), Duration{4s});
}

// On the code before, it stayed for ever, and so did the node's bad name.
TEST(Experience, ATimeThatWasMeasuredFadesWithTimeAndWithNewerOnes) {
    Experience experience;
    Time now{1h};
    experience.delivered(node(1), {.first_byte = 60s}, now);
    EXPECT_EQ(experience.first_byte(node(1), 0, now + 5min), Duration{60s});
    EXPECT_FALSE(experience.first_byte(node(1), 0, now + 7min)) << "nothing is known of it now";
    EXPECT_FALSE(experience.usual_time(node(1), now + 7min));
    for (int i = 0; i < 4; ++i) experience.delivered(node(1), {.first_byte = 1s}, now += 1min);
    EXPECT_LT(*experience.first_byte(node(1), 0, now), 8s);
    for (int i = 0; i < 20; ++i) experience.delivered(node(1), {.first_byte = 1s}, now);
    EXPECT_LT(*experience.first_byte(node(1), 0, now), 1100ms);
    EXPECT_FALSE(experience.first_byte(node(1), 0, now + 11min)) << "however many there were";
}

TEST(Experience, AnAnswerInOnePieceSaysNothingOfTheFirstByte) {
    Experience experience;
    experience.delivered(node(1), {.request_bytes = 10}, Time{1h});
    EXPECT_FALSE(experience.first_byte(node(1), 0, Time{1h}));
    EXPECT_EQ(experience.deliveries(node(1), Time{1h}), 1);
}

TEST(Experience, EachModelOfANodeHasItsOwn) {
    Experience experience;
    Time now{1h};
    experience.delivered(node(1, "large"), {.first_byte = 60s}, now);
    experience.failed(node(1, "large"), blame::full, now);
    EXPECT_FALSE(experience.usual_time(node(1, "small"), now));
    EXPECT_EQ(experience.reliability(node(1, "small"), now), 1);
}

TEST(Experience, RequestsThatAreLateTogetherCountOnce) {
    Experience experience;
    Time now{1h};
    for (int i = 0; i < 30; ++i) experience.late(node(1), blame::partial, now);
    EXPECT_FALSE(experience.fails_mostly(node(1), now)) << "a busy node";
    experience.late(node(1), blame::partial, now + 20s);
    EXPECT_TRUE(experience.fails_mostly(node(1), now + 20s)) << "and one that says it is at work for ever";
}

TEST(Experience, KeepsABoundedNumberOfNodes) {
    Experience experience({.maximum_servers = 2});
    Time now{1h};
    experience.failed(node(1), blame::full, now);
    experience.failed(node(2), blame::full, now + 1s);
    experience.failed(node(3), blame::full, now + 2s);
    EXPECT_EQ(experience.failing(now + 2s), (std::set<NodeId>{node(2).node, node(3).node}));
}

TEST(Patience, GrowsWithWhatAnEngineHasToDo) {
    auto of = [](const std::string& body, const std::string& path = "/v1/chat/completions") {
        return patience_for({{}, "POST", path, "application/json", "m", to_bytes(body)}, PatienceLimits{});
    };
    EXPECT_EQ(of(R"({"stream":true})"), Duration{15s});
    EXPECT_EQ(of(R"({"stream":true,"x":")" + std::string(10 << 10, 'x') + "\"}"), Duration{35s});
    EXPECT_EQ(of(R"({"max_tokens":50})"), Duration{20s}) << "the first byte comes with the last token";
    EXPECT_EQ(of(R"({"max_tokens":50,"n":2})"), Duration{25s});
    EXPECT_EQ(of("{}"), Duration{115s});
    EXPECT_EQ(of("{}", "/v1/embeddings"), Duration{15s});
    EXPECT_EQ(of(R"({"max_tokens":281474976710655})"), Duration{12min}) << "no longer than a node waits for its engine";
}

}  // namespace
}  // namespace planetserve::node
