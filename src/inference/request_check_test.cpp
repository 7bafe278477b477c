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
    auto checked = check_request(request, engine, RequestLimits{});
    return checked ? std::nullopt : std::optional(checked.error());
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
    // Of two the last counts, here and at llama-server.
    EXPECT_TRUE(check(chat_with(R"("model":"other")")));
    for (const auto& engine : {managed, upstream})
        EXPECT_EQ(check(chat_with(R"("Model":"m")"), engine).value_or(Refusal{}).param, "model");
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
                             R"("chat_template":"x")", R"("verbose":true)", R"("speculative.n_max":9999)"})
        EXPECT_EQ(check(chat_with(more)).value_or(Refusal{}).code, "unsupported_parameter") << more;
}

// An upstream would have run a template of the user's, fetched what it names, or read what others keep there.
TEST(RequestCheck, MembersThatAnUpstreamWouldObeyAreRefused) {
    for (const char* more :
         {R"("chat_template_kwargs":{"chat_template":"{{ x }}"})", R"("chat_template_kwargs":{"tokenize":true})",
          R"("chat_template_kwargs":{"Chat_Template":"x"})", R"("chat_template_kwargs":{"a":[1]})",
          R"("chat_template_kwargs":"x")", R"("structural_tag":"{}")", R"("whitespace_pattern":"(a+)+")",
          R"("guided_whitespace_pattern":"(a+)+")", R"("priority":-1)", R"("prompt_embeds":"AA==")",
          R"("mm_processor_kwargs":{})", R"("kv_transfer_params":{})", R"("previous_response_id":"resp_1")",
          R"("mcp_servers":[{"url":"http://10.0.0.1"}])", R"("structured_outputs":{"structural_tag":"{}"})",
          R"("structured_outputs":{"whitespace_pattern":"(a+)+"})"})
        EXPECT_EQ(check(chat_with(more), upstream).value_or(Refusal{}).code, "unsupported_parameter") << more;
    for (const char* more :
         {R"("tools":[{"type":"mcp","server_url":"http://10.0.0.1"}])", R"("tools":[{"type":"file_search"}])",
          R"("response_format":{"type":"structural_tag","format":{}})", R"("text":{"format":{"type":"x"}})"})
        EXPECT_EQ(check(chat_with(more), upstream).value_or(Refusal{}).code, "unsupported_value") << more;
    for (const char* more :
         {R"("chat_template_kwargs":{"enable_thinking":false,"reasoning_effort":"high"})", R"("store":true)",
          R"("user":"u","metadata":{"a":"b"},"service_tier":"auto","unknown":[1])", R"("min_tokens":3,"top_k":5)",
          R"("response_format":{"type":"json_object"})", R"("tools":[{"type":"custom","custom":{"name":"f"}}])"})
        EXPECT_FALSE(check(chat_with(more), upstream)) << more;
    EXPECT_TRUE(check(R"({"model":"m","input":[{"type":"item_reference","id":"msg_1"}]})", upstream, "/v1/responses"));
    EXPECT_TRUE(check(R"({"model":"m","prompt":{"id":"pmpt_1"}})", upstream, "/v1/responses"));
}

TEST(RequestCheck, ANumberThatIsWrittenAsTextIsNone) {
    for (const char* name : {"n", "n_cmpl", "best_of", "top_logprobs", "n_probs", "logprobs", "prompt_logprobs"})
        EXPECT_EQ(check(chat_with("\"" + std::string(name) + R"(":"1000")"), upstream).value_or(Refusal{}).param, name);
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
    for (const char* part :
         {R"({"type":"image_url","image_url":{"url":"http://10.0.0.1/a"}})",
          R"({"type":"image_url","image_url":"file:///etc/passwd"})",
          R"({"image_url":{"url":"http://10.0.0.1/a"},"type":"text"})",
          R"({"type":"image_url","image_url":{"url":"http://pictures.example@10.0.0.1/a"}})",
          R"({"type":"image_url","image_url":{"url":"http://pictures.example\\@10.0.0.1/a"}})",
          R"({"type":"image_url","image_url":{"url":"http://pictures.example.evil/a"}})",
          R"({"type":"image","source":{"type":"url","url":"http://10.0.0.1/a"}})",
          R"({"type":"video_url","video_url":{"url":"http://10.0.0.1/a"}})", R"({"type":"input_file","file_id":"abc"})",
          R"({"TYPE":"IMAGE_URL","Image_Url":{"URL":"http://10.0.0.1/a"}})",
          R"({"type":"image_url","IMAGE_URL":"http://10.0.0.1/a"})",
          R"({"type":"image_url","image_url":["http://10.0.0.1/a"]})", R"({"type":"image","image":"/etc/passwd"})",
          R"({"type":"image_embeds","image_embeds":"AA=="})",
          R"({"type":"tool_use","content":[{"type":"image_url","image_url":"http://10.0.0.1/a"}]})"})
        EXPECT_EQ(check(with_part(part), upstream).value_or(Refusal{}).code, "unsupported_media") << part;
    for (const char* part : {R"({"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}})",
                             R"({"type":"image_url","image_url":{"url":"https://pictures.example/a"}})",
                             R"({"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}})",
                             R"({"type":"tool_use","id":"1","name":"get","input":{"url":"http://10.0.0.1/"}})",
                             R"({"type":"text","text":"http://10.0.0.1/"})"})
        EXPECT_FALSE(check(with_part(part), upstream)) << part;
    // A message that calls itself the use of a tool.
    EXPECT_TRUE(check(R"({"model":"m","messages":[{"type":"tool_use","role":"user","content":[)"
                      R"({"type":"image_url","image_url":{"url":"http://10.0.0.1/a"}}]}]})",
                      upstream));
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
    // Whoever counts tokens sends the tools of the messages.
    EXPECT_FALSE(check(chat_with(R"("tools":[{"name":"f","input_schema":{"type":"object"}}])"), managed,
                       "/v1/messages/count_tokens"));
    EXPECT_FALSE(check(chat_with(R"("tools":[{"type":"bash_20250124","name":"bash"}])"), upstream, "/v1/messages"));
    EXPECT_TRUE(check(chat_with(R"("tools":[{"type":"web_fetch_20250910"}])"), upstream, "/v1/messages"));
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
          R"("tools":[{"type":"function","name":"f","parameters":)" + schema + "}]",
          // An empty part that hides the true one.
          R"("tools":[{"type":"function","function":{},"parameters":)" + schema + "}]",
          R"("tools":[{"type":"function","function":{},"input_schema":)" + schema + "}]",
          R"("tools":[{"type":"function","function":{"parameters":{},"input_schema":)" + schema + "}}]",
          R"("functions":[{"name":"f","parameters":)" + schema + "}]",
          // As text.
          R"("json_schema":)" + boost::json::serialize(boost::json::string(schema))})
        EXPECT_EQ(check(chat_with(more)).value_or(Refusal{}).code, "unsupported_schema") << more;
    const std::string long_pattern = R"({"pattern":")" + std::string(2000, 'a') + "\"}";
    EXPECT_TRUE(check(chat_with(R"("response_format":{"JSON_Schema":{"schema":)" + long_pattern + "}}"), upstream));
    EXPECT_TRUE(
        check(chat_with(R"("tools":[{"type":"function","Function":{"parameters":)" + long_pattern + "}}]"), upstream));
    EXPECT_TRUE(
        check(chat_with(R"("guided_json":)" + boost::json::serialize(boost::json::string(long_pattern))), upstream));
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

TEST(RequestCheck, TellsHowManyTokensAnAnswerMayHave) {
    auto tokens = [](const std::string& members) {
        Request request;
        request.method = "POST";
        request.path = "/v1/completions";
        request.model = "m";
        request.body = to_bytes(R"({"model":"m","prompt":"x")" + members + "}");
        return check_request(request, {}, {}).value().tokens;
    };
    EXPECT_EQ(tokens(""), std::nullopt);
    EXPECT_EQ(tokens(R"(,"max_tokens":10,"n":3)"), 30U);
    EXPECT_EQ(tokens(R"(,"max_tokens":10,"n_predict":500)"), 500U) << "whichever the engine takes";
    EXPECT_EQ(tokens(R"(,"n_predict":-1)"), std::nullopt);
}

}  // namespace
}  // namespace planetserve::inference
