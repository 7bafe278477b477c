// What a model node answers, on its way to the client.

#include "adapters/api/api_fixture.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;
using ApiReplyTest = ApiTest;

TEST_F(ApiReplyTest, PassesTheRequestOnByteForByte) {
    std::string body = "  {\"x\": [1,  2], \"model\":\"tiny\",\"messages\":[{}]}\n";
    Client client = this->client();
    client.send(
        "POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    const inference::Request& request = asked().request;
    EXPECT_EQ(to_string(request.body), body);
    EXPECT_EQ(request.path, "/v1/messages") << "a query is for this node";
    EXPECT_EQ(request.model, "tiny");
    EXPECT_EQ(request.content_type, "application/json");
}

TEST_F(ApiReplyTest, PassesOnOnlyHeadersThatAreSafe) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    asked().head(200, "application/json",
                 {{"Retry-After", "3"},
                  {"set-cookie", "a=b"},
                  {"content-length", "1"},
                  {"transfer-encoding", "gzip"},
                  {"access-control-allow-origin", "*"},
                  {"x-planetserve-model-node", "a lie"},
                  {"x-planetserve-evil", "1\r\nset-cookie: c=d\r\n\r\n<html>"},
                  {"x-planetserve-evil: 1\r\nset-cookie", "e=f"},
                  {"x-planetserve-model-node", "the truth"},
                  {"x-request-id", "node-7"}});
    asked().body("{}");
    asked().end();
    Reply reply = client.reply();
    EXPECT_EQ(reply.body, "{}");
    std::multimap<std::string, std::string> expected{
        {"content-type", "application/json"}, {"retry-after", "3"},    {"x-planetserve-model-node", "the truth"},
        {"x-request-id", "node-7"},           {"content-length", "2"}, {"connection", "keep-alive"}};
    EXPECT_EQ(reply.headers, expected);
}

TEST_F(ApiReplyTest, KeepsTheClientsRequestIdBeforeTheNodes) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat, "X-Request-Id: mine\r\n"));
    asked().head(200, "application/json", {{"x-request-id", "theirs"}});
    asked().end();
    Reply reply = client.reply();
    EXPECT_EQ(reply.headers.count("x-request-id"), 1U);
    EXPECT_EQ(reply.header("x-request-id"), "mine");
}

TEST_F(ApiReplyTest, RefusesAStatusThatWouldBreakTheConnection) {
    Client client = this->client();
    std::size_t count = 0;
    for (unsigned status : {0U, 100U, 101U, 204U, 304U, 600U, 99999U}) {
        client.send(post("/v1/chat/completions", chat));
        asked(++count).whole(status, "text/plain", "HTTP/1.1 200 OK\r\n\r\n");
        EXPECT_EQ(client.reply().status, 502U) << status;
    }
}

TEST_F(ApiReplyTest, AFailureWithinTheStartIsAnswered) {
    service.failure_at_once = Error{ErrorCode::unavailable, "the model node's key is none"};
    for (const auto& body : {chat, streamed}) {
        Client client = this->client();
        client.send(post("/v1/chat/completions", body));
        Reply reply = client.reply();
        EXPECT_EQ(reply.status, 503U);
        EXPECT_EQ(reply.error("message"), "the model node's key is none");
    }
}

TEST_F(ApiReplyTest, StreamsEventsAsTheyCome) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("data: 1\n\n");
    ASSERT_TRUE(client.has("data: 1\n\n"));
    request.body("data: [DONE]\n\n");
    request.end();
    Reply reply = client.reply();
    EXPECT_EQ(reply.body, "data: 1\n\ndata: [DONE]\n\n");
    EXPECT_EQ(reply.header("cache-control"), "no-cache");
}

TEST_F(ApiReplyTest, KeepAliveCommentsLeaveTheWindowAsItIs) {
    options.keep_alive = 10ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    ASSERT_TRUE(client.has(": keep-alive\n\n"));
    auto& request = asked();
    request.head(200, "text/event-stream");
    std::size_t sent = 0;
    for (int i = 0; i < 20; ++i) {
        // A comment and an event that go out together, in either order.
        std::string event = "data: " + std::to_string(i) + "\n\n";
        request.body(event);
        sent += event.size();
        std::size_t comments = client.received().size();
        ASSERT_TRUE(run_until(context, [&] {
            client.read();
            return client.received().find(": keep-alive", comments) != std::string::npos;
        }));
    }
    EXPECT_TRUE(run_until(context, [&] { return request.consumed == sent; })) << request.consumed << " of " << sent;
}

// docs/api.md names them all.
TEST(ApiOptionsTest, DefaultsAreTheDocumentedOnes) {
    const ApiOptions defaults;
    EXPECT_EQ(defaults.keep_alive, 10s);
    EXPECT_EQ(defaults.maximum_body, 16u << 20);
    EXPECT_EQ(defaults.maximum_connections, 512u);
    EXPECT_EQ(defaults.header_deadline, 10s);
    EXPECT_EQ(defaults.body_deadline, 60s);
    EXPECT_EQ(defaults.idle_deadline, 75s);
    EXPECT_EQ(defaults.write_deadline, 120s);
    EXPECT_EQ(defaults.linger_deadline, 5s);
}

TEST_F(ApiReplyTest, PutsNoCommentInsideAnEvent) {
    options.keep_alive = 10ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("data: a");
    ASSERT_TRUE(client.has("data: a"));
    std::size_t handlers = 0;
    while (handlers < 5) {
        context.restart();
        handlers += context.run_one_for(20ms);  // the timer comes round, and finds an event that is not over
    }
    client.read();
    EXPECT_EQ(client.received().find("keep-alive\n"), std::string::npos);
    // The event's end comes in two pieces.
    request.body("b\n");
    ASSERT_TRUE(client.has("b\n"));
    request.body("\n");
    EXPECT_TRUE(client.has(": keep-alive\n\n"));
}

TEST_F(ApiReplyTest, TellsOfAnErrorWithinAStream) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("data: half");
    ASSERT_TRUE(client.has("data: half"));
    request.error({ErrorCode::timed_out, "line 1\nline 2 \xff"});
    std::string body = client.reply().body;
    ASSERT_TRUE(body.starts_with("data: half\n\ndata: {")) << body;
    ASSERT_TRUE(body.ends_with("}\n\ndata: [DONE]\n\n")) << body;
    std::size_t begin = std::string_view("data: half\n\ndata: ").size();
    auto error = json::parse(body.substr(begin, body.find("\n\n", begin) - begin));
    EXPECT_EQ(error.at("error").at("message").as_string(), "line 1\nline 2 ?");
}

TEST_F(ApiReplyTest, TellsAnthropicsClientsOfAnErrorTheirWay) {
    Client client = this->client();
    client.send(post("/v1/messages?beta=true", streamed));
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("event: ping\ndata: {}\n\n");
    ASSERT_TRUE(client.has("ping"));
    request.error({ErrorCode::unavailable, "gone"});
    EXPECT_EQ(
        client.reply().body,
        "event: ping\ndata: {}\n\n"
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"gone\"}}\n\n");
}

TEST_F(ApiReplyTest, PutsANodesErrorIntoAStreamThatHasBegun) {
    options.keep_alive = 5ms;
    Client client = this->client();
    std::size_t count = 0;
    for (auto [body, message] :
         {std::pair{"{\n  \"error\": {\"message\": \"no room\",\n \"code\": 429}\n}", "no room"},
          std::pair{"plain\n\ntext", "the model node answered 429"}, std::pair{"", "the model node answered 429"}}) {
        client.send(post("/v1/chat/completions", streamed));
        ASSERT_TRUE(client.has(": keep-alive\n\n"));
        auto& request = asked(++count);
        request.head(429, "application/json");
        request.body(body);
        request.end();
        Reply reply = client.reply();
        EXPECT_EQ(reply.status, 200U);
        std::size_t begin = reply.body.find("data: {");
        ASSERT_NE(begin, std::string::npos) << reply.body;
        std::size_t end = reply.body.find('\n', begin);
        EXPECT_EQ(json::parse(reply.body.substr(begin + 6, end - begin - 6)).at("error").at("message").as_string(),
                  message);
        EXPECT_TRUE(reply.body.ends_with("\n\ndata: [DONE]\n\n"));
    }
}

TEST_F(ApiReplyTest, ALateErrorKeepsTheEnginesMembers) {
    options.keep_alive = 5ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    ASSERT_TRUE(client.has(": keep-alive\n\n"));
    asked().whole(400, "application/json",
                  R"({"error":{"code":400,"message":"too long","type":"exceed_context_size_error",)"
                  R"("n_prompt_tokens":5000,"n_ctx":4096,"deep":{"a":1}}})");
    Reply reply = client.reply();
    std::size_t begin = reply.body.find("data: {") + 6;
    auto error = json::parse(reply.body.substr(begin, reply.body.find('\n', begin) - begin)).at("error").as_object();
    EXPECT_EQ(error.at("type").as_string(), "exceed_context_size_error");
    EXPECT_EQ(error.at("code").to_number<int>(), 400);
    EXPECT_EQ(error.at("n_prompt_tokens").to_number<int>(), 5000);
    EXPECT_EQ(error.at("n_ctx").to_number<int>(), 4096);
    EXPECT_FALSE(error.contains("deep"));
}

TEST_F(ApiReplyTest, AResponseThatBreaksOffFails) {
    Client client = this->client();
    client.send(post("/v1/responses", streamed));
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("data: {\"type\":\"response.created\",\"response\":{\"id\":\"resp_7\"}}\n\ndata: {\"ty");
    ASSERT_TRUE(client.has("resp_7"));
    request.error({ErrorCode::timed_out, "silence"});
    std::string body = client.reply().body;
    EXPECT_NE(body.find("\n\nevent: response.failed\ndata: {"), std::string::npos) << body;
    EXPECT_NE(body.find("\"id\":\"resp_7\"", body.find("response.failed")), std::string::npos) << body;
    EXPECT_EQ(body.find("[DONE]"), std::string::npos);
    // One that ends as it should gets nothing more.
    client.send(post("/v1/responses", streamed));
    const std::string completed = "data: {\"type\":\"response.completed\"}\n\n";
    asked(2).whole(200, "text/event-stream", completed);
    EXPECT_EQ(client.reply().body, completed);
    client.send(post("/v1/responses", streamed));
    asked(3).whole(200, "text/event-stream", "data: {\"type\":\"response.created\"}\n\n");
    EXPECT_NE(client.reply().body.find("response.failed"), std::string::npos);
}

TEST_F(ApiReplyTest, CountsTheAnswersOfAModel) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    asked().whole(400, "application/json", "{}");
    EXPECT_EQ(client.reply().status, 400U);
    EXPECT_TRUE(state.answered.empty());
    client.send(post("/v1/chat/completions", chat));
    asked(2).whole(200, "application/json", "{}");
    EXPECT_EQ(client.reply().status, 200U);
    EXPECT_EQ(state.answered, std::vector<std::string>{"tiny"});
}

TEST_F(ApiReplyTest, ReadsALongErrorToItsEnd) {
    options.keep_alive = 5ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", streamed));
    ASSERT_TRUE(client.has(": keep-alive\n\n"));
    auto& request = asked();
    request.head(500, "text/plain");
    request.body(std::string(inference::reply_window, 'x'));
    EXPECT_TRUE(run_until(context, [&] { return request.consumed == inference::reply_window; }));
    request.end();
    EXPECT_TRUE(client.reply().body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ApiReplyTest, BreaksOffAnAnswerThatIsNoStream) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    auto& request = asked();
    request.head(200, "application/json");
    request.body("{\"half\":");
    ASSERT_TRUE(client.has("half"));
    request.error({ErrorCode::timed_out, "silence"});
    EXPECT_TRUE(client.closed());
    EXPECT_EQ(client.received().find("0\r\n\r\n"), std::string::npos);
}

TEST_F(ApiReplyTest, EndsANodeThatSendsBeyondTheWindow) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    auto& request = asked();
    request.head(200, "application/json");
    request.body(std::string(inference::reply_window, 'x'));
    ASSERT_NE(request.sink, nullptr);
    request.body("y");
    EXPECT_EQ(request.sink, nullptr);
    EXPECT_EQ(client.reply().status, 502U);
}

// On the code before, the window shrank by each count that waited, and by a long event, until the stream stood still.
TEST_F(ApiReplyTest, AStreamOfSeveralAnswersCountsWhatItHoldsBackAsRead) {
    Client client = this->client();
    std::string several = streamed;
    several.replace(1, 0, "\"n\":2,");
    client.send(post("/v1/chat/completions", several));
    auto& request = asked();
    request.head(200, "text/event-stream");
    std::size_t sent = 0;
    auto send = [&](const std::string& bytes) {
        request.body(bytes);
        sent += bytes.size();
        EXPECT_TRUE(run_until(context, [&] { return request.consumed == sent; }, std::chrono::seconds(2))) << sent;
    };
    const std::string count = "data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1},\"x\":\"" +
                              std::string(inference::reply_window / 8, 'x') + "\"}\n\n";
    for (int i = 0; i < 10; ++i) send(count);
    send("data: {\"choices\":[{\"text\":\"" + std::string(inference::reply_window / 2, 'x'));
    send(std::string(inference::reply_window / 2, 'x') + "\"}]}\n\n");
    send("data: [DONE]\n\n");
    request.end();
    EXPECT_TRUE(client.reply().body.ends_with("data: [DONE]\n\n"));
}

TEST_F(ApiReplyTest, TellsErrorsByTheirStatus) {
    std::size_t count = 0;
    for (auto [code, status] : {std::pair{ErrorCode::not_found, 404U}, std::pair{ErrorCode::exhausted, 429U},
                                std::pair{ErrorCode::unavailable, 503U}, std::pair{ErrorCode::timed_out, 504U},
                                std::pair{ErrorCode::already_exists, 409U}, std::pair{ErrorCode::internal, 502U}}) {
        service.refusal = Error{code, "why"};
        Reply at_once = ask(post("/v1/chat/completions", chat));
        EXPECT_EQ(at_once.status, status);
        EXPECT_EQ(at_once.error("message"), "why");
        service.refusal.reset();
        Client client = this->client();
        client.send(post("/v1/chat/completions", streamed));
        asked(++count).error({code, "later"});
        EXPECT_EQ(client.reply().status, status);
    }
}

}  // namespace
}  // namespace planetserve::adapters
