#include "inference/answer_reader.h"

#include <gtest/gtest.h>

#include "inference/answer_samples_fixture.h"

using namespace planetserve;
using namespace planetserve::inference;

namespace {

const ReplyHead events_head{200, {{"content-type", "Text/Event-Stream; charset=utf-8"}}};
const ReplyHead whole_head{200, {{"content-type", "application/json; charset=utf-8"}}};

AnswerReader read(Api api, std::string_view reply, std::size_t piece = std::string_view::npos,
                  const ReplyHead* head = nullptr) {
    AnswerReader reader(api);
    reader.on_head(head != nullptr ? *head : reply.starts_with('{') ? whole_head : events_head);
    while (!reply.empty()) {
        reader.feed(as_bytes(reply.substr(0, piece)));
        reply.remove_prefix(std::min(piece, reply.size()));
    }
    reader.end();
    return reader;
}

struct Sample {
    const char* name;
    Api api;
    std::string_view reply;
};
const std::vector<Sample> all_samples = {
    {"chat_whole", Api::chat, samples::chat_whole},
    {"chat_events", Api::chat, samples::chat_events},
    {"chat_usage_events", Api::chat, samples::chat_usage_events},
    {"completion_whole", Api::completions, samples::completion_whole},
    {"completion_events", Api::completions, samples::completion_events},
    {"response_whole", Api::responses, samples::response_whole},
    {"response_events", Api::responses, samples::response_events},
    {"message_whole", Api::messages, samples::message_whole},
    {"message_events", Api::messages, samples::message_events},
};

std::string sse_event(std::string_view data) { return "data: " + std::string(data) + "\n\n"; }

TEST(AnswerReader, ReadsAnAnswerWithACallInEachApi) {
    std::string city = R"({"city": "Oslo"})";
    struct Expected {
        Api api;
        std::string_view reply;
        std::string arguments;
        const char* finish;
        std::uint64_t cached;
    };
    for (const auto& expected :
         std::vector<Expected>{{Api::chat, samples::chat_whole, city, "length", 215},
                               {Api::chat, samples::chat_events, city, "length", 225},
                               {Api::responses, samples::response_whole, city, "completed", 225},
                               {Api::responses, samples::response_events, city, "completed", 225},
                               {Api::messages, samples::message_whole, R"({"city":"Oslo"})", "max_tokens", 225},
                               {Api::messages, samples::message_events, city, "max_tokens", 225}}) {
        auto reader = read(expected.api, expected.reply);
        SCOPED_TRACE(expected.reply);
        const Answer& answer = reader.answer();
        EXPECT_EQ(answer.text, "Sure.\n");
        EXPECT_EQ(answer.tool_calls, (std::vector<ToolCall>{{"weather", expected.arguments}}));
        EXPECT_EQ(answer.finish_reason, expected.finish);
        EXPECT_EQ(answer.prompt_tokens(), 226U);
        EXPECT_EQ(answer.cached_tokens(), expected.cached);
        EXPECT_TRUE(answer.complete && !answer.reasoned && !reader.truncated());
    }
}

TEST(AnswerReader, ReadsUsageAndTimings) {
    Answer answer = read(Api::chat, samples::chat_usage_events).answer();
    EXPECT_EQ(answer.text, "Hi.");
    EXPECT_EQ(answer.finish_reason, "stop");
    EXPECT_EQ(answer.usage, (AnswerUsage{18, 17, 3}));
    EXPECT_EQ(answer.timings, (AnswerTimings{17, 1, 74.184, 13.47999568640138, 3, 423.939}));
    EXPECT_EQ(read(Api::chat, samples::chat_events).answer().usage, AnswerUsage()) << "not asked for";
    EXPECT_EQ(read(Api::responses, samples::response_events).answer().timings.prompt_ms, 87.025);
    EXPECT_EQ(read(Api::messages, samples::message_events).answer().usage, (AnswerUsage{226, 225, 1}));
}

TEST(AnswerReader, ReadsCompletions) {
    EXPECT_EQ(read(Api::completions, samples::completion_whole).answer().text, "\nto the");
    Answer answer = read(Api::completions, samples::completion_events).answer();
    EXPECT_EQ(answer.text, "\nto the");
    EXPECT_EQ(answer.usage, (AnswerUsage{2, 1, 3}));
    EXPECT_TRUE(answer.complete);
}

TEST(AnswerReader, ReadsTheSameWhateverThePieces) {
    for (const Sample& sample : all_samples) {
        Answer whole = read(sample.api, sample.reply).answer();
        for (std::size_t piece : {1, 2, 3, 7, 64}) {
            EXPECT_EQ(read(sample.api, sample.reply, piece).answer(), whole) << sample.name << " by " << piece;
        }
        for (std::size_t cut = 0; cut <= sample.reply.size(); ++cut) {
            AnswerReader reader(sample.api);
            reader.on_head(sample.reply.starts_with('{') ? whole_head : events_head);
            reader.feed(as_bytes(sample.reply.substr(0, cut)));
            reader.feed(as_bytes(sample.reply.substr(cut)));
            reader.end();
            ASSERT_EQ(reader.answer(), whole) << sample.name << " at " << cut;
        }
    }
}

TEST(AnswerReader, HasAPrefixOfAnAnswerThatBreaksOff) {
    for (const Sample& sample : all_samples) {
        std::string whole = read(sample.api, sample.reply).answer().text;
        for (std::size_t size = 0; size < sample.reply.size() - 2; size += 5) {
            auto reader = read(sample.api, sample.reply.substr(0, size));
            ASSERT_TRUE(whole.starts_with(reader.answer().text)) << sample.name << " to " << size;
            if (sample.reply.starts_with('{')) {
                ASSERT_FALSE(reader.answer().complete) << sample.name << " to " << size;
            }
        }
    }
}

TEST(AnswerReader, ReadsTheFirstOfSeveralAnswersAndNoReasoning) {
    auto reader = read(Api::chat, sse_event(R"({"choices":[{"index":0,"delta":{"reasoning_content":"hm"}},
        {"index":1,"delta":{"content":"no"}},{"index":0,"delta":{"content":"yes"}}]})") +
                                      sse_event("[DONE]"));
    EXPECT_TRUE(reader.truncated()) << "an event is no JSON, since the line ended within";
    reader = read(Api::chat,
                  ": ping\r\rid: 1\r\ndata: {\"choices\":[{\"index\":1,\"delta\":{\"content\":\"no\"}},\r\n"
                  "data:{\"index\":0,\"delta\":{\"reasoning_content\":\"hm\",\"content\":\"yes\"}}]}\r\n\r\n" +
                      sse_event("[DONE]"));
    EXPECT_EQ(reader.answer().text, "yes");
    EXPECT_TRUE(reader.answer().reasoned && reader.answer().complete && !reader.truncated());
}

TEST(AnswerReader, JoinsCallsByTheirNumbers) {
    auto reader =
        read(Api::chat, sse_event(R"({"choices":[{"delta":{"tool_calls":[{"index":0,"function":{"name":"a"}},)"
                                  R"({"index":5,"function":{"name":"b","arguments":"{"}}]}}]})") +
                            sse_event(R"({"choices":[{"delta":{"tool_calls":[{"index":5,)"
                                      R"("function":{"arguments":"}"}}]}}]})"));
    EXPECT_EQ(reader.answer().tool_calls, (std::vector<ToolCall>{{"a", ""}, {"b", "{}"}}));
    EXPECT_FALSE(reader.answer().complete);
}

TEST(AnswerReader, StopsAtErrors) {
    std::string piece = sse_event(R"({"choices":[{"delta":{"content":"a"}}]})");
    for (const char* bad : {R"({"error":{"message":"no slot"}})", "no JSON", "[]", R"({"type":"error"})"}) {
        auto reader = read(Api::chat, piece + sse_event(bad) + piece);
        EXPECT_EQ(reader.answer().text, "a") << bad;
        EXPECT_TRUE(reader.truncated() && !reader.answer().complete) << bad;
    }
    EXPECT_TRUE(read(Api::chat, R"({"error":{"code":400}})").truncated());
    EXPECT_TRUE(read(Api::responses, sse_event(R"({"type":"response.failed","response":{}})")).truncated());
    ReplyHead busy{503, whole_head.headers};
    EXPECT_EQ(read(Api::chat, samples::chat_whole, 100, &busy).answer(), Answer());
}

TEST(AnswerReader, IsBounded) {
    std::string large(AnswerReader::answer_limit / 4, 'a');
    std::string piece = sse_event(R"({"choices":[{"delta":{"content":")" + large + "\"}}]}");
    std::string four = piece + piece + piece + piece;
    EXPECT_FALSE(read(Api::chat, four, 1000).truncated());
    auto reader =
        read(Api::chat, four + sse_event(R"({"choices":[{"delta":{"content":"b"}}]})") + sse_event("[DONE]"), 1000);
    EXPECT_TRUE(reader.truncated() && !reader.answer().complete);
    EXPECT_EQ(reader.answer().text.size(), AnswerReader::answer_limit);

    std::string calls;
    for (std::size_t i = 0; i <= AnswerReader::tool_call_limit; ++i)
        calls += sse_event(R"({"choices":[{"delta":{"tool_calls":[{"index":)" + std::to_string(i) + "}]}}]}");
    EXPECT_TRUE(read(Api::chat, calls).truncated());
    EXPECT_TRUE(read(Api::chat, "data: " + std::string(EventStream::limit, ' '), 1000).truncated());
    EXPECT_TRUE(read(Api::chat, '{' + std::string(AnswerReader::body_limit, ' '), 1000).truncated());
    // Small values that take much memory.
    EXPECT_TRUE(read(Api::chat, R"({"choices":[)" + std::string(500, '[')).truncated());
    for (const char* odd : {R"({"choices":[{"message":{"content":[1],"tool_calls":[7,{"function":3}]}},4]})",
                            R"({"choices":{},"usage":[],"timings":{"cache_n":-1,"prompt_ms":"x","prompt_n":1e300}})"})
        for (Api api : {Api::chat, Api::completions, Api::responses, Api::messages})
            EXPECT_TRUE(read(api, odd).answer().text.empty() && !read(api, odd).answer().prompt_tokens()) << odd;
}

}  // namespace
