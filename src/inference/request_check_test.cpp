#include "inference/request_check.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "inference/bounded_json.h"

namespace planetserve::inference {
namespace {

const EngineTraits managed{.context = 2048};
const EngineTraits upstream{.kind = EngineTraits::Kind::other, .media_hosts = {"pictures.example"}};

const EngineTraits trusting{.kind = EngineTraits::Kind::other, .grammars = true};

std::optional<Refusal> check(const std::string& body, const EngineTraits& engine = managed,
                             std::string path = "/v1/chat/completions", std::string method = "POST") {
    Request request;
    request.method = std::move(method);
    request.path = std::move(path);
    request.model = "m";
    request.body = to_bytes(body);
    return check_request(request, engine, RequestLimits{});
}

std::string chat_with(const std::string& more) {
    return R"({"model":"m","messages":[{"role":"user","content":"Hi"}])" + (more.empty() ? "" : "," + more) + "}";
}

std::string with_part(const std::string& part) {
    return R"({"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"x"},)" + part + "]}]}";
}

// With the operator's key these would have loaded adapters, shown others' prompts and deleted models.
TEST(RequestCheck, PathsOfTheEnginesOperatorAreRefused) {
    for (const char* path :
         {"/slots", "/metrics", "/lora-adapters", "/props", "/api/delete", "/tokenize", "/v1/models", "/v1/../slots",
          "//v1/chat/completions", "/v1/chat/completions/", "/v1/chat/completions?a=b",
          "/v1/chat/completions?beta=true", "/v1/chat%2fcompletions", "/v1/chat/completions#x", ""})
        EXPECT_EQ(check(chat_with(""), managed, path).value_or(Refusal{}).status, 404U) << path;
    for (const char* method : {"GET", "DELETE", "PUT", "post", ""})
        EXPECT_EQ(check(chat_with(""), managed, "/v1/chat/completions", method).value_or(Refusal{}).status, 404U)
            << method;
    EXPECT_FALSE(check(chat_with(""), managed, "/v1/messages?beta=true"));
    EXPECT_FALSE(check(chat_with(""), managed, "/v1/messages/count_tokens"));
}

TEST(RequestCheck, TheBodyNamesTheModelThatWasAskedFor) {
    EXPECT_EQ(check(R"({"model":"other","messages":[]})").value_or(Refusal{}).param, "model");
    EXPECT_EQ(check(R"({"messages":[]})").value_or(Refusal{}).param, "model");
    // Of two the last counts, here and at the engine.
    EXPECT_TRUE(check(chat_with(R"("model":"other")")));
}

TEST(RequestCheck, ABodyThatIsNoneIsRefused) {
    for (const char* body : {"", "[]", "3", "{", "{\"model\":\"m\"}x", "\xff"}) EXPECT_TRUE(check(body)) << body;
    std::string deep = R"("x":)";
    deep += std::string(100'000, '[') + std::string(100'000, ']');
    EXPECT_EQ(check(chat_with(deep)).value_or(Refusal{}).code, "invalid_json");
    EXPECT_TRUE(check(chat_with(R"("temperature":1e999)")));
}

TEST(RequestCheck, MembersOfTheOperatorAreRefused) {
    for (const char* more : {R"("id_slot":0)", R"("lora":[{"id":0,"scale":1}])", R"("grammar_triggers":[])",
                             R"("chat_template":"x")", R"("verbose":true)"})
        EXPECT_EQ(check(chat_with(more)).value_or(Refusal{}).code, "unsupported_parameter") << more;
}

TEST(RequestCheck, CountsAreBounded) {
    for (const char* more :
         {R"("n":9)", R"("n":1e18)", R"("best_of":1000)", R"("top_logprobs":1000000)", R"("n_probs":21)"})
        EXPECT_EQ(check(chat_with(more)).value_or(Refusal{}).code, "invalid_value") << more;
    for (const char* more :
         {R"("n":2)", R"("top_logprobs":20)", R"("logprobs":true)", R"("max_tokens":1000000)", R"("n":null)"})
        EXPECT_FALSE(check(chat_with(more))) << more;
    std::string stops;
    for (int i = 0; i < 33; ++i) stops += (i ? ",\"a\"" : "\"a\"");
    EXPECT_EQ(check(chat_with(R"("stop":[)" + stops + "]")).value_or(Refusal{}).param, "stop");
    EXPECT_TRUE(check(R"({"model":"m","prompt":[)" + stops + "]}", managed, "/v1/completions"));
    EXPECT_FALSE(check(R"({"model":"m","prompt":[1,2,3,4,5,6,7,8,9,10,11]})", managed, "/v1/completions"));
}

TEST(RequestCheck, APromptThatNoContextHoldsNeverReachesTheEngine) {
    const std::string much((2048 * 64) + (256 << 10) + 1, 'a');
    auto refusal = check(R"({"model":"m","messages":[{"role":"user","content":")" + much + "\"}]}");
    EXPECT_EQ(refusal.value_or(Refusal{}).code, "context_length_exceeded");
    EXPECT_FALSE(check(chat_with(R"("metadata":{"x":")" + much + "\"}")));
}

TEST(RequestCheck, AnEngineOfTextIsNotGivenPictures) {
    const std::string url = with_part(R"({"type":"image_url","image_url":{"url":"http://10.0.0.1/a"}})");
    const std::string data = with_part(R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}})");
    EXPECT_EQ(check(url).value_or(Refusal{}).code, "unsupported_media");
    EXPECT_EQ(check(data).value_or(Refusal{}).code, "unsupported_media");
    EXPECT_TRUE(check(with_part(R"({"type":"input_audio","input_audio":{"data":"AA=="}})")));
}

TEST(RequestCheck, AnEngineFetchesNothingFromInsideItsNetwork) {
    for (const char* part : {R"({"type":"image_url","image_url":{"url":"http://10.0.0.1/a"}})",
                             R"({"type":"image_url","image_url":"file:///etc/passwd"})",
                             R"({"image_url":{"url":"http://10.0.0.1/a"},"type":"text"})",
                             R"({"type":"image_url","image_url":{"url":"http://pictures.example@10.0.0.1/a"}})",
                             R"({"type":"image_url","image_url":{"url":"http://pictures.example\\@10.0.0.1/a"}})",
                             R"({"type":"image_url","image_url":{"url":"http://pictures.example.evil/a"}})",
                             R"({"type":"image","source":{"type":"url","url":"http://10.0.0.1/a"}})",
                             R"({"type":"video_url","video_url":{"url":"http://10.0.0.1/a"}})",
                             R"({"type":"input_file","file_id":"abc"})"})
        EXPECT_EQ(check(with_part(part), upstream).value_or(Refusal{}).code, "unsupported_media") << part;
    for (const char* part : {R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}})",
                             R"({"type":"image_url","image_url":{"url":"https://pictures.example/a"}})",
                             R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}})",
                             R"({"type":"tool_use","id":"1","name":"get","input":{"url":"http://10.0.0.1/"}})",
                             R"({"type":"text","text":"http://10.0.0.1/"})"})
        EXPECT_FALSE(check(with_part(part), upstream)) << part;
    EXPECT_TRUE(check(
        R"({"model":"m","input":[{"role":"user","content":[{"type":"input_image","image_url":"http://10.0.0.1/a"}]}]})",
        upstream, "/v1/responses"));
}

TEST(RequestCheck, ToolsAndMessagesThatTheEngineWouldAnswerWith500AreRefusedByName) {
    EXPECT_EQ(check(chat_with(R"("tools":[{"type":"web_search"}])")).value_or(Refusal{}).param, "tools");
    EXPECT_EQ(check(R"({"model":"m","messages":[{"content":"x"}]})").value_or(Refusal{}).param, "messages");
    EXPECT_FALSE(
        check(chat_with(R"("tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}])")));
    EXPECT_FALSE(
        check(chat_with(R"("tools":[{"name":"f","input_schema":{"type":"object"}}])"), managed, "/v1/messages"));
    EXPECT_TRUE(check(R"({"model":"m","input":"x"})", managed, "/v1/embeddings"));
    EXPECT_FALSE(check(R"({"model":"m","input":"x"})", upstream, "/v1/embeddings"));
}

TEST(RequestCheck, EveryWayToGiveASchemaOrGrammarIsChecked) {
    const std::string schema = R"({"type":"string","pattern":"\\d"})";
    for (const std::string& more :
         {R"("json_schema":)" + schema,
          R"("response_format":{"type":"json_schema","json_schema":{"schema":)" + schema + "}}",
          R"("response_format":{"type":"json_object","schema":)" + schema + "}",
          R"("text":{"format":{"schema":)" + schema + "}}",
          R"("tools":[{"type":"function","function":{"name":"f","parameters":)" + schema + "}}]",
          R"("tools":[{"type":"function","name":"f","parameters":)" + schema + "}]"})
        EXPECT_EQ(check(chat_with(more)).value_or(Refusal{}).code, "unsupported_schema") << more;
    const std::string deep = "\"" + std::string(100, '(') + "\"";
    for (const std::string& more : {R"("grammar":)" + deep, R"("guided_grammar":)" + deep, R"("guided_regex":)" + deep,
                                    R"("structured_outputs":{"grammar":)" + deep + "}"})
        EXPECT_EQ(check(chat_with(more), trusting).value_or(Refusal{}).code, "grammar_too_large") << more;
    for (const char* more : {R"("grammar":"root ::= \"a\"")", R"("guided_regex":"a*")"}) {
        EXPECT_FALSE(check(chat_with(more), trusting)) << more;
        EXPECT_EQ(check(chat_with(more), managed).value_or(Refusal{}).code, "unsupported_parameter") << more;
    }
    EXPECT_FALSE(check(chat_with(R"("grammar":"")")));
}

TEST(RequestCheck, AnErrorIsInOpenAIsForm) {
    auto error = boost::json::parse(error_body({400, "wrong \"x\"", "x", ""})).at("error");
    EXPECT_EQ(error.at("message"), "wrong \"x\"");
    EXPECT_EQ(error.at("param"), "x");
    EXPECT_TRUE(error.at("code").is_null());
}

}  // namespace
}  // namespace planetserve::inference
