#include "adapters/llama/suspects.h"

#include <gtest/gtest.h>

#include "inference/small_call.h"

namespace planetserve::adapters {
namespace {

Suspects::Digest request(int number) {
    return Suspects::digest_of(inference::post_of("/v1/completions", std::to_string(number)));
}

TEST(Suspects, TheOnlyRequestAtACrashIsRefusedForTenMinutes) {
    Suspects suspects;
    Time now{1h};
    suspects.on_end(std::vector{request(1)}, EngineEnd::crashed, now);
    EXPECT_TRUE(suspects.refuses(request(1), now + 9min));
    EXPECT_FALSE(suspects.refuses(request(2), now));
    EXPECT_FALSE(suspects.refuses(request(1), now + 10min));
}

TEST(Suspects, ABodyIsKnownAgainWhateverTheNodeWroteIntoIt) {
    inference::Request asked = inference::post_of("/v1/completions", "{}");
    inference::Request written = inference::post_of("/v1/completions", R"({"seed":1})");
    written.asked = crypto::sha256(asked.body);
    EXPECT_EQ(Suspects::digest_of(written), Suspects::digest_of(asked));
    written.path = "/v1/chat/completions";
    EXPECT_NE(Suspects::digest_of(written), Suspects::digest_of(asked));
}

TEST(Suspects, OfSeveralOnlyTheOneThatIsThereAgain) {
    Suspects suspects;
    Time now{1h};
    suspects.on_end(std::vector{request(1), request(2), request(3)}, EngineEnd::crashed, now);
    for (int i = 1; i <= 3; ++i) EXPECT_FALSE(suspects.refuses(request(i), now)) << "a bystander";
    suspects.on_end(std::vector{request(1), request(4)}, EngineEnd::crashed, now + 1min);
    EXPECT_TRUE(suspects.refuses(request(1), now + 1min));
    EXPECT_FALSE(suspects.refuses(request(4), now + 1min));
}

TEST(Suspects, OneThatIsAnsweredIsInnocent) {
    Suspects suspects;
    Time now{1h};
    for (int i = 0; i < 5; ++i) {
        suspects.on_end(std::vector{request(1), request(2)}, EngineEnd::crashed, now + i * 1s);
        suspects.on_answered(request(1));
    }
    EXPECT_FALSE(suspects.refuses(request(1), now + 5s));
    EXPECT_TRUE(suspects.refuses(request(2), now + 5s));
}

TEST(Suspects, ASignalOfOthersIsNoProof) {
    Suspects suspects;
    Time now{1h};
    suspects.on_end(std::vector{request(1)}, EngineEnd::killed, now);
    EXPECT_FALSE(suspects.refuses(request(1), now)) << "whoever killed it";
    suspects.on_end(std::vector{request(1)}, EngineEnd::killed, now);
    EXPECT_TRUE(suspects.refuses(request(1), now)) << "it may take all memory";
    suspects.on_end(std::vector{request(2)}, EngineEnd::ordered, now);
    suspects.on_end(std::vector{request(2)}, EngineEnd::ordered, now);
    EXPECT_FALSE(suspects.refuses(request(2), now));
}

TEST(Suspects, AreBounded) {
    Suspects suspects({.maximum = 2});
    Time now{1h};
    for (int i = 1; i <= 3; ++i) suspects.on_end(std::vector{request(i)}, EngineEnd::crashed, now + i * 1s);
    EXPECT_FALSE(suspects.refuses(request(1), now + 3s));
    EXPECT_TRUE(suspects.refuses(request(2), now + 3s));
    EXPECT_TRUE(suspects.refuses(request(3), now + 3s));
}

}  // namespace
}  // namespace planetserve::adapters
