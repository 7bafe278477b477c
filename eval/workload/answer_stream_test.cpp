#include "eval/workload/answer_stream.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/random.h"

namespace planetserve::eval {
namespace {

const std::string stream =
    ": keep-alive\r\n\r\n"
    "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\",\"content\":null},\"finish_reason\":null}]}\n\n"
    "event: message\ndata: {\"choices\":[{\"delta\":{\"content\":\"Hel\"},\"finish_reason\":null}],\"usage\":null}\n\n"
    "data:{\"choices\":[{\"delta\":\ndata: {\"content\":\"lo\"},\"finish_reason\":null}]}\r\n\r\n"
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":32,\"completion_tokens\":2,\"prompt_tokens_details\":"
    "{\"cached_tokens\":16}}}\n\n"
    "data: [DONE]\n\n";

TEST(EventStream, CutsDoNotMatter) {
    std::vector<std::string> whole;
    inference::EventStream reader(AnswerStream::event_limit);
    ASSERT_TRUE(reader.feed(stream, [&](std::string_view data) {
        whole.emplace_back(data);
        return true;
    }));
    ASSERT_EQ(whole.size(), 6U);
    EXPECT_EQ(whole[2], "{\"choices\":[{\"delta\":\n{\"content\":\"lo\"},\"finish_reason\":null}]}");
    EXPECT_EQ(whole[5], "[DONE]");
    SeededRandom random(5);
    for (int round = 0; round < 200; ++round) {
        inference::EventStream other(AnswerStream::event_limit);
        std::vector<std::string> events;
        for (std::size_t at = 0; at < stream.size();) {
            std::size_t size = std::min<std::size_t>(stream.size() - at, 1 + random.below(round < 50 ? 2 : 90));
            ASSERT_TRUE(other.feed(std::string_view(stream).substr(at, size), [&](std::string_view data) {
                events.emplace_back(data);
                return true;
            }));
            at += size;
        }
        ASSERT_EQ(events, whole);
    }
}

TEST(EventStream, BoundsAnEvent) {
    inference::EventStream reader(AnswerStream::event_limit);
    std::string piece = "data: " + std::string(1U << 20, 'x') + "\n";
    auto ignore = [](std::string_view) { return true; };
    Status fed;
    for (int i = 0; fed && i < 10; ++i) fed = reader.feed(piece, ignore);
    EXPECT_FALSE(fed);
}

TEST(AnswerStream, KnowsWhenTokensCameAndWhatTheyCost) {
    AnswerStream answer;
    std::int64_t now = 0;
    for (char c : stream) {
        ASSERT_TRUE(answer.feed(as_bytes(std::string_view(&c, 1)), Time(Duration(++now))));
        ASSERT_EQ(answer.pieces() > 0, answer.first_token().has_value());
    }
    EXPECT_EQ(answer.pieces(), 2U);
    ASSERT_TRUE(answer.first_token() && answer.last_token());
    EXPECT_LT(*answer.first_token(), *answer.last_token());
    EXPECT_EQ(answer.first_token()->time_since_epoch().count(), static_cast<std::int64_t>(stream.find("data:{\"ch")));
    EXPECT_TRUE(answer.complete());
    ASSERT_TRUE(answer.usage());
    EXPECT_EQ(answer.usage()->prompt_tokens, 32U);
    EXPECT_EQ(answer.usage()->completion_tokens, 2U);
    EXPECT_EQ(answer.usage()->cached_tokens, 16U);
}

TEST(AnswerStream, ReadsCompletionsReasoningAndToolCalls) {
    for (std::string choice :
         {R"({"text":"a"})", R"({"delta":{"reasoning_content":"a"}})", R"({"delta":{"tool_calls":[{"index":0}]}})"}) {
        AnswerStream answer;
        ASSERT_TRUE(answer.feed(as_bytes("data: {\"choices\":[" + choice + "]}\n\n"), Time(1us)));
        EXPECT_EQ(answer.pieces(), 1U) << choice;
        EXPECT_FALSE(answer.complete());
    }
}

TEST(AnswerStream, TellsOfErrors) {
    AnswerStream answer;
    Status fed = answer.feed(as_bytes("data: {\"error\":{\"message\":\"engine died\"}}\n\n"), Time(1us));
    ASSERT_FALSE(fed);
    EXPECT_EQ(fed.error().message, "engine died");
    AnswerStream garbage;
    EXPECT_FALSE(garbage.feed(as_bytes("data: {\n\n"), Time(1us)));
}

}  // namespace
}  // namespace planetserve::eval
