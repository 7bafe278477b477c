#include "eval/kit/live/live_work.h"

#include <gtest/gtest.h>

#include <map>

namespace planetserve::eval {
namespace {

TEST(ToolWork, SharesFewLongPrefixesUnevenly) {
    LiveWork work = tool_work(10, 400, 3);
    ASSERT_EQ(work.items.size(), 400U);
    std::map<std::string, int> beginnings;
    std::map<std::string, int> whole;
    for (const auto& item : work.items) {
        ++beginnings[item.messages.substr(0, 1000)];
        ++whole[item.messages];
    }
    EXPECT_EQ(beginnings.size(), 10U);
    EXPECT_EQ(whole.size(), 400U);
    int most = 0;
    for (const auto& [text, count] : beginnings) most = std::max(most, count);
    // Of ten, Zipf's law with 1.1 gives the first 37%.
    EXPECT_NEAR(most, 148, 35);
    EXPECT_GT(work.ceiling, 0.85);
    EXPECT_LT(work.ceiling, 0.98);
    EXPECT_EQ(tool_work(10, 400, 3).items.back().messages, work.items.back().messages);
    EXPECT_NE(tool_work(10, 400, 4).items.back().messages, work.items.back().messages);
}

TEST(ConversationWork, SaysWhatIsWrongWithATrace) {
    auto work = conversation_work("/nonexistent/trace.jsonl", 10, 1);
    ASSERT_FALSE(work);
    EXPECT_TRUE(work.error().message.contains("/nonexistent/trace.jsonl"));
}

}  // namespace
}  // namespace planetserve::eval
