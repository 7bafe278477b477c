#include "verification_agent/prompt_pool.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "verification_agent/challenge.h"

namespace planetserve::verification_agent {
namespace {

std::string line(int number) {
    return R"([{"role":"system","content":"Be kind."},{"role":"user","content":"Question )" + std::to_string(number) +
           R"(?"}])" + "\n";
}

std::string file(int lines) {
    std::string text;
    for (int i = 0; i < lines; ++i) text += line(i);
    return text;
}

TEST(PromptPool, IsReadByLines) {
    auto pool = PromptPool::parse(file(100));
    ASSERT_TRUE(pool) << pool.error().message;
    EXPECT_EQ(pool->size(), 100u);
    EXPECT_EQ(pool->digest(), crypto::sha256(as_bytes(file(100))));
    std::string unended = file(100);
    unended.pop_back();
    auto same = PromptPool::parse(unended);
    ASSERT_TRUE(same);
    EXPECT_EQ(same->size(), 100u);
    EXPECT_NE(same->digest(), pool->digest());
}

TEST(PromptPool, NamesWhatIsWrong) {
    auto refused = [](const std::string& bad) {
        auto pool = PromptPool::parse(file(150) + bad + "\n" + file(1));
        EXPECT_FALSE(pool) << bad;
        return pool ? "" : pool.error().message;
    };
    EXPECT_NE(refused("").find("line 151"), std::string::npos) << "an empty line is no conversation";
    EXPECT_NE(refused("{}").find("no list"), std::string::npos);
    EXPECT_NE(refused("[]").find("no list"), std::string::npos);
    EXPECT_NE(refused(R"([{"role":"tool","content":"x"}])").find("'role'"), std::string::npos);
    EXPECT_NE(refused(R"([{"role":"user","content":[]}])").find("'content'"), std::string::npos);
    EXPECT_NE(refused(R"([{"role":"user","content":"x","name":"y"}])").find("more than"), std::string::npos);
    EXPECT_NE(refused(R"([{"role":"user","content":"x"},{"role":"assistant","content":"y"}])").find("end with"),
              std::string::npos);
    EXPECT_NE(refused(std::string(9000, '[')).find("8 KiB"), std::string::npos);
    EXPECT_NE(PromptPool::parse(file(99)).error().message.find("99 conversations"), std::string::npos);
    EXPECT_FALSE(PromptPool::parse(""));
}

TEST(PromptPool, ChallengesAreMadeOfIt) {
    auto pool = PromptPool::parse(file(100));
    ASSERT_TRUE(pool);
    SeededRandom random(1);
    std::set<std::string> asked;
    int unlimited = 0;
    for (int i = 0; i < 1000; ++i) {
        auto seed = random.id<ChallengeSeed>();
        auto challenge = make_challenge(seed, "m", *pool);
        EXPECT_EQ(challenge.body, make_challenge(seed, "m", *pool).body);
        EXPECT_NE(challenge.body, make_challenge(seed, "m", {}).body);
        EXPECT_EQ(boost::json::serialize(boost::json::parse(challenge.body).at("messages")), challenge.messages);
        EXPECT_TRUE(scoring::scorable(challenge.profile));
        asked.insert(challenge.messages + "\n");
        unlimited += challenge.profile.max_tokens == 0;
    }
    EXPECT_EQ(asked.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(asked.contains(line(i)));
    EXPECT_GT(unlimited, 100);
}

}  // namespace
}  // namespace planetserve::verification_agent
