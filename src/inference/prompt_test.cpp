#include "inference/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json.hpp>

#include "base/random.h"

using namespace planetserve;
using namespace planetserve::inference;
namespace json = boost::json;

namespace {

constexpr auto chat_path = "/v1/chat/completions";
constexpr auto messages_path = "/v1/messages";
constexpr auto responses_path = "/v1/responses";

// The canonical prompt, or why there is none, with marks shown as <1>, <2>, ...
std::string shown(std::string_view path, std::string_view body) {
    auto prompt = canonical_prompt(path, as_bytes(body));
    if (!prompt) return std::string(to_string(prompt.error().code));
    std::string text;
    for (std::size_t i = 0; i < prompt->canonical.size(); ++i) {
        std::uint8_t byte = prompt->canonical[i];
        if (byte == 0xff)
            text += '<' + std::to_string(prompt->canonical[++i]) + '>';
        else
            text += static_cast<char>(byte);
    }
    return text;
}

Bytes canonical(std::string_view path, std::string_view body) {
    auto prompt = canonical_prompt(path, as_bytes(body));
    EXPECT_TRUE(prompt) << (prompt ? "" : prompt.error().message) << ' ' << body;
    return prompt ? prompt->canonical : Bytes();
}

bool begins_with(const Bytes& whole, const Bytes& part) {
    return whole.size() >= part.size() && std::equal(part.begin(), part.end(), whole.begin());
}

TEST(Prompt, PutsTheSystemAndTheToolsFirst) {
    EXPECT_EQ(shown(chat_path, R"({"model":"m","messages":[{"role":"system","content":"Be brief."},
        {"role":"user","content":"Hi"}],"tools":[{"type":"function","function":{"name":"f","description":"d",
        "parameters":{"z":1, "a": []}}}]})"),
              R"(<1>system<2>Be brief.<7>f<2>d<6>{"z":1,"a":[]}<1>user<2>Hi)");
    EXPECT_EQ(shown(chat_path, R"({"messages":[{"role":"user","content":"Hi"}],"tools":[{"type":"search"}],
        "chat_template_kwargs":{"enable_thinking":false}})"),
              R"(<8>chat_template_kwargs<2>{"enable_thinking":false}<7><2><6>{"type":"search"}<1>user<2>Hi)");
}

TEST(Prompt, IsTheSameWhicheverApiIsUsed) {
    auto chat = shown(chat_path, R"({"tools":[{"type":"function","function":{"name":"f","parameters":{}}}],"messages":[
        {"role":"developer","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"Weather?"}]},
        {"role":"assistant","content":"Sure.","tool_calls":[{"id":"1","type":"function",
         "function":{"name":"f","arguments":"{\"city\": \"Oslo\"}"}}]},
        {"role":"user","content":"Thanks"},{"role":"tool","tool_call_id":"1","content":"sunny"}]})");
    EXPECT_EQ(chat, R"(<1>system<2>Be brief.<7>f<2><6>{}<1>user<2>Weather?<1>assistant<2>Sure.<5>f<6>{"city":"Oslo"})"
                    R"(<1>user<2>Thanks<1>tool<2>sunny)");
    EXPECT_EQ(chat, shown(messages_path, R"({"tools":[{"name":"f","input_schema":{}}],
        "system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[
        {"role":"user","content":"Weather?"},{"role":"assistant","content":[{"type":"thinking","thinking":"hm"},
         {"type":"text","text":"Sure."},{"type":"tool_use","id":"2","name":"f","input":{"city":"Oslo"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"2","content":[{"type":"text","text":"sunny"}]},
         {"type":"text","text":"Thanks"}]}]})"));
    EXPECT_EQ(chat, shown(responses_path, R"({"tools":[{"type":"function","name":"f","parameters":{}}],
        "instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"Weather?"}]},
        {"type":"reasoning","summary":[]},
        {"type":"message","role":"assistant","content":[{"type":"output_text","text":"Sure."}]},
        {"type":"function_call","call_id":"3","name":"f","arguments":"{\"city\":\"Oslo\"}"},
        {"role":"user","content":"Thanks"},{"type":"function_call_output","call_id":"3","output":"sunny"}]})"));
    EXPECT_EQ(shown(responses_path, R"({"input":"Hi"})"),
              shown("/v1/messages?beta=true", R"({"messages":[{"role":"user","content":"Hi"}]})"));
}

TEST(Prompt, TellsPartsFromTextsAndImagesFromEachOther) {
    auto with = [](std::string_view content) {
        return shown(chat_path, R"({"messages":[{"role":"user","content":)" + std::string(content) + "}]}");
    };
    EXPECT_EQ(with(R"("ab")"), with(R"([{"type":"text","text":"ab"}])"));
    EXPECT_EQ(with("null"), with("[]"));
    EXPECT_EQ(with(R"([{"type":"text","text":"a"},{"type":"text","text":"b"}])"), "<1>user<2>a<3>b");
    auto image = [&](std::string_view url, std::string_view more) {
        return with(R"([{"type":"image_url","image_url":{"url":")" + std::string(url) + "\"}" + std::string(more) +
                    R"(},{"type":"text","text":"What?"}])");
    };
    EXPECT_EQ(image("data:A", "").size(), std::string("<1>user<2><4><3>What?").size() + 64);
    EXPECT_NE(image("data:A", ""), image("data:B", ""));
    EXPECT_EQ(image("data:A", ""), image("data:A", R"(,"cache_control":{"type":"ephemeral"})"));
}

TEST(Prompt, ReadsCompletions) {
    EXPECT_EQ(shown("/v1/completions", R"({"prompt":"Once"})"), "<9>Once");
    EXPECT_EQ(shown("/v1/completions", R"({"prompt":["Once"]})"), "<9>Once");
    EXPECT_EQ(canonical("/v1/completions", R"({"prompt":[1,258]})"), *from_hex("ff0a"
                                                                               "00000001"
                                                                               "00000102"));
    for (const char* body : {R"({"prompt":["a","b"]})", R"({"prompt":[1,"b"]})", R"({"prompt":[-1]})",
                             R"({"prompt":[]})", R"({})", R"({"prompt":"a","suffix":"b"})"})
        EXPECT_EQ(shown("/v1/completions", body), "invalid argument") << body;
}

TEST(Prompt, SaysWhichRequestsHaveNone) {
    std::string chat = R"({"messages":[{"role":"user","content":"Hi"}])";
    EXPECT_EQ(shown("/v1/embeddings", chat + "}"), "not found");
    EXPECT_EQ(shown(chat_path, chat + R"(,"cache_prompt":false})"), "invalid argument");
    EXPECT_EQ(shown(chat_path, chat + R"(,"lora":[{"id":0,"scale":1}]})"), "invalid argument");
    EXPECT_EQ(shown(responses_path, R"({"input":"Hi","previous_response_id":"resp_1"})"), "invalid argument");
    EXPECT_EQ(shown(responses_path, R"({"input":[{"type":"item_reference","id":"1"}]})"), "invalid argument");
    for (const char* body : {R"({"messages":{}})", R"({"messages":[1]})", R"({"messages":[{"content":"Hi"}]})", "{}"})
        EXPECT_EQ(shown(chat_path, body), "invalid argument") << body;
    for (const char* body : {"", "[]", "{", R"({"messages":[]} x)", "{\"messages\":[{\"role\":\"\xff\x01\"}]}"})
        EXPECT_EQ(shown(chat_path, body), "malformed") << body;
}

TEST(Prompt, ReadsTraits) {
    auto traits = [](std::string_view members) {
        return canonical_prompt(chat_path, as_bytes(R"({"messages":[])" + std::string(members) + "}"))->traits;
    };
    EXPECT_EQ(traits(""), PromptTraits());
    EXPECT_EQ(traits(R"(,"stream":true,"n":2,"max_tokens":5,"seed":1)"), (PromptTraits{true, true, 2, 5}));
    EXPECT_TRUE(traits(R"(,"temperature":0)").repeatable);
    for (const char* members : {R"(,"seed":-1)", R"(,"seed":4294967295)", R"(,"temperature":0.1)", R"(,"seed":null)"})
        EXPECT_FALSE(traits(members).repeatable) << members;
    EXPECT_EQ(traits(R"(,"max_tokens":7,"max_completion_tokens":6)").max_tokens, 6U);
    EXPECT_EQ(traits(R"(,"max_tokens":-1)").max_tokens, std::nullopt);
}

TEST(Prompt, IsBounded) {
    std::string large = R"({"prompt":")" + std::string(prompt_body_limit - 13, 'a') + "\"}";
    EXPECT_TRUE(canonical_prompt("/v1/completions", as_bytes(large)));
    large.insert(11, "a");
    EXPECT_EQ(shown("/v1/completions", large), "exhausted");

    std::string deep = R"({"messages":[],"tools":)" + std::string(200, '[') + std::string(200, ']') + "}";
    EXPECT_EQ(shown(chat_path, deep), "malformed");
    // Small values that stand for much: in memory, and in the prompt.
    std::string empties = R"({"messages":[],"x":[[])";
    while (empties.size() < prompt_body_limit - 16) empties += ",[]";
    EXPECT_EQ(shown(chat_path, empties + "]}"), "exhausted");
    std::string digests = R"({"messages":[{"role":"user","content":[0)";
    for (int i = 0; i < 100'000; ++i) digests += ",0";
    EXPECT_EQ(shown(chat_path, digests + "]}]}"), "exhausted");
}

TEST(Answer, ContinuesAnAnswerThatThePromptBegan) {
    auto begun = canonical(chat_path, R"({"messages":[{"role":"user","content":"Count"},
        {"role":"assistant","content":"one, two"}]})");
    auto whole = canonical(chat_path, R"({"messages":[{"role":"user","content":"Count"},
        {"role":"assistant","content":"one, two, three"}]})");
    Bytes told_again = begun;
    append_answer(told_again, "one, two, three");
    EXPECT_EQ(told_again, whole);
    append_answer(begun, ", three");
    EXPECT_EQ(begun, whole);
    // A role that begins alike is another.
    auto other = canonical(chat_path, R"({"messages":[{"role":"assistants","content":"one"}]})");
    append_answer(other, "two");
    EXPECT_EQ(other, canonical(chat_path, R"({"messages":[{"role":"assistants","content":"one"},
        {"role":"assistant","content":"two"}]})"));
}

TEST(Answer, FollowsATextAndNoTokens) {
    auto text = canonical("/v1/completions", R"({"prompt":"Once"})");
    append_answer(text, " upon");
    EXPECT_EQ(text, canonical("/v1/completions", R"({"prompt":"Once upon"})"));
    auto tokens = canonical("/v1/completions", R"({"prompt":[1]})");
    append_answer(tokens, "a");
    EXPECT_EQ(tokens, canonical("/v1/completions", R"({"prompt":[1]})"));
}

// A conversation drawn at random, with texts that are hard on delimiters.
class Draw {
public:
    explicit Draw(std::uint64_t seed) : random_(seed) {}
    std::size_t below(std::size_t limit) { return random_.below(limit); }
    std::string text() {
        static const std::vector<std::string> pieces = {
            "a",  "assistant",      "user", "\\u0001", "\\u00ff", "\\u00ff\\u0001", "ÿ",
            "😀", "\\ud83d\\ude00", "\\\"", "{",       "\\n",     "\\u0000"};
        std::string text;
        for (std::size_t i = below(6); i > 0; --i) text += pieces[below(pieces.size())];
        return '"' + text + '"';
    }
    std::string object() { return "{" + text() + ": " + text() + ", \"n\" : 0.10, \"m\":[1,1e3]}"; }
    std::string message() {
        static const std::vector<std::string> roles = {"user", "system", "tool", "developer", "assistant"};
        std::string message = R"({"role":")" + roles[below(roles.size())] + R"(","content":)";
        if (below(3) == 0)
            message += R"([{"type":"text","text":)" + text() + R"(},{"type":"image","source":)" + text() + "}]";
        else
            message += below(8) == 0 ? "null" : text();
        return message + "}";
    }
    std::string head() {
        std::string head = "{";
        if (below(2) == 0)
            head += R"("tools":[{"function":{"name":)" + text() + R"(,"parameters":)" + object() + "}}],";
        if (below(4) == 0) head += R"("chat_template_kwargs":)" + object() + ",";
        return head + "\"messages\":[";
    }

private:
    SeededRandom random_;
};

TEST(Prompt, GrowsAtItsEndAlone) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Draw draw(seed);
        std::string body = draw.head();
        Bytes before;
        for (int turn = 0; turn < 8; ++turn) {
            body += (turn > 0 ? "," : "") + draw.message();
            Bytes now = canonical(chat_path, body + "]}");
            ASSERT_TRUE(begins_with(now, before)) << body;
            ASSERT_NE(now, before) << body;
            before = std::move(now);
        }
    }
}

TEST(Answer, IsWhatTheNextRequestBeginsWith) {
    for (std::uint64_t seed = 1; seed <= 300; ++seed) {
        Draw draw(seed);
        std::string body = draw.head() + draw.message() + R"(,{"role":"user","content":"Go on"})";
        Bytes prompt = canonical(chat_path, body + "]}");
        std::string text = draw.text();
        std::vector<ToolCall> calls;
        std::string given;
        for (std::size_t i = draw.below(3); i > 0; --i) {
            calls.push_back({"f" + std::to_string(i), draw.below(4) == 0 ? "{\"cut" : draw.object()});
            given += (given.empty() ? "" : ",") +
                     json::serialize(json::value{
                         {"function", {{"name", calls.back().name}, {"arguments", calls.back().arguments}}}});
        }
        append_answer(prompt, std::string_view(json::parse(text).as_string()), calls);
        std::string answered = body + R"(,{"role":"assistant","content":)" + text + R"(,"tool_calls":[)" + given + "]}";
        ASSERT_EQ(prompt, canonical(chat_path, answered + "]}")) << answered;
        ASSERT_TRUE(begins_with(canonical(chat_path, answered + "," + draw.message() + "]}"), prompt)) << answered;
    }
}

TEST(Prompt, HoldsNoMarkThatATextForged) {
    // Every other way to say this in one message is another prompt.
    auto two = canonical(chat_path, R"({"messages":[{"role":"user","content":"a"},{"role":"user","content":"b"}]})");
    for (const char* forged : {"a\\u00ff\\u0001user\\u00ff\\u0002b", "aÿ\\u0001userÿ\\u0002b", "a<1>user<2>b"})
        EXPECT_NE(two,
                  canonical(chat_path, R"({"messages":[{"role":"user","content":")" + std::string(forged) + "\"}]}"));
    Bytes prompt = canonical(chat_path, R"({"messages":[{"role":"user","content":"a"}]})");
    Bytes answered = prompt;
    append_answer(answered, "x\xff\x01user");
    EXPECT_EQ(std::ranges::count(answered, 0xff), std::ranges::count(prompt, 0xff) + 2);
}

}  // namespace
