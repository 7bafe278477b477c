// Requests that the node answers or refuses itself, over real sockets.

#include "adapters/api/api_server.h"

#include "adapters/api/api_fixture.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;
using ApiServerTest = ApiTest;

TEST_F(ApiServerTest, ListensBeyondTheLoopbackOnlyWithAKey) {
    options.listen = {"0.0.0.0", 0};
    ApiServer open(context, options, service, state, metrics, random);
    auto refused = open.listen();
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::permission_denied);
    prometheus::Registry others;
    options.api_key = "secret";
    ApiServer keyed(context, options, service, state, others, random);
    EXPECT_TRUE(keyed.listen());
}

TEST_F(ApiServerTest, AnswersItsOwnPaths) {
    EXPECT_EQ(ask(get("/health")).body, R"({"status":"ok"})");
    EXPECT_EQ(ask(get("/planetserve/status?x=1")).body, R"({"node":"here"})");
    EXPECT_EQ(ask(get("/v1/models")).parsed().at("data").as_array().size(), 2U);
    EXPECT_EQ(ask(get("/v1/models/tiny?x")).parsed().at("id").as_string(), "tiny");
    state.readiness = fail(ErrorCode::unavailable, "3 of 4 paths are up");
    Reply starting = ask(get("/health"));
    EXPECT_EQ(starting.status, 503U);
    EXPECT_EQ(starting.header("retry-after"), "1");
}

TEST_F(ApiServerTest, FindsModelsByPercentEncodedName) {
    EXPECT_EQ(ask(get("/v1/models/org%2Fsmall")).parsed().at("id").as_string(), "org/small");
    EXPECT_EQ(ask(get("/v1/models/org/small")).status, 200U);
    EXPECT_EQ(ask(get("/v1/models/org%2")).status, 400U);
    Reply unknown = ask(get("/v1/models/large"));
    EXPECT_EQ(unknown.status, 404U);
    EXPECT_EQ(unknown.error("code"), "model_not_found");
    EXPECT_EQ(unknown.error("message"), "no model 'large' is served; there are: org/small, tiny");
}

TEST_F(ApiServerTest, AnswersOnlyRequestsToTheLoopback) {
    for (std::string host : {"localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:99", "[::1]"})
        EXPECT_EQ(ask("GET /health HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status, 200U) << host;
    for (std::string host : {"127.evil.example", "127.0.0.2", "localhost.evil.example", "[::1]evil", "[::1", "::1",
                             "localhost:", "localhost:80x", "localhost:123456", "evil.example:80", ""})
        EXPECT_EQ(ask("GET /health HTTP/1.1\r\nHost: " + host + "\r\n\r\n").status, 403U) << host;
    EXPECT_EQ(ask("GET /health HTTP/1.1\r\n\r\n").status, 403U);
    EXPECT_EQ(ask("GET /health HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n").status, 400U);
    // The absolute form's authority stands in for Host.
    EXPECT_EQ(ask("GET http://127.0.0.1/health HTTP/1.1\r\nHost: evil.example\r\n\r\n").status, 200U);
    EXPECT_EQ(ask("GET http://evil.example/health HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 403U);
}

TEST_F(ApiServerTest, AnswersNoForeignPages) {
    for (std::string origin : {"http://localhost:3000", "https://127.0.0.1"})
        EXPECT_EQ(ask(get("/health", "Origin: " + origin + "\r\n")).status, 200U) << origin;
    for (std::string origin : {"http://evil.example", "http://127.evil.example", "null", "file://localhost"})
        EXPECT_EQ(ask(get("/health", "Origin: " + origin + "\r\n")).error("code"), "wrong_origin") << origin;
}

TEST_F(ApiServerTest, DemandsTheKeyBeforeItReadsTheBody) {
    options.api_key = "secret";
    EXPECT_EQ(ask("GET /health HTTP/1.1\r\nHost: any.example\r\n\r\n").status, 200U);
    EXPECT_EQ(ask(get("/v1/models", "Authorization: bearer secret\r\n")).status, 200U);
    EXPECT_EQ(ask(get("/v1/models", "X-Api-Key: secret\r\n")).status, 200U);
    EXPECT_EQ(ask(get("/v1/models", "Authorization: Bearer secret2\r\n")).status, 401U);
    Client client = this->client();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n\r\n");
    Reply refused = client.reply();
    EXPECT_EQ(refused.status, 401U);
    EXPECT_EQ(refused.header("connection"), "close");
    EXPECT_EQ(refused.header("www-authenticate"), "Bearer");
    EXPECT_EQ(refused.error("code"), "invalid_api_key");
}

TEST_F(ApiServerTest, RefusesBodiesThatAreTooLargeAndCountsEachOnce) {
    options.maximum_body = 1000;
    Reply sized = ask(post("/v1/chat/completions", std::string(1001, ' ')));
    EXPECT_EQ(sized.status, 413U);
    EXPECT_EQ(sized.error("type"), "invalid_request_error");
    EXPECT_EQ(sized.header("connection"), "close");
    Client client = this->client();
    client.send("POST /v1/messages?beta=true HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n800\r\n" +
                std::string(2048, ' ') + "\r\n0\r\n\r\n");
    EXPECT_EQ(client.reply().error("type"), "request_too_large");
    std::string text = metrics_text();
    EXPECT_NE(text.find("{path=\"/v1/chat/completions\",status=\"413\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("{path=\"/v1/messages\",status=\"413\"} 1\n"), std::string::npos) << text;
    EXPECT_TRUE(service.asked.empty());
}

TEST_F(ApiServerTest, ReadsOnAfterARefusalSoThatTheClientSeesIt) {
    options.maximum_body = 1000;
    Client client = this->client();
    // More than sockets hold: were it not read, the client could not finish sending, or would be reset.
    client.send(post("/v1/chat/completions", std::string(12 << 20, ' ')));
    EXPECT_EQ(client.reply().status, 413U);
    EXPECT_TRUE(client.closed());
    EXPECT_FALSE(client.was_reset());
}

TEST_F(ApiServerTest, SaysContinueOnlyToWhatItWillRead) {
    options.maximum_body = 1000;
    Client client = this->client();
    client.send(
        "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 16\r\n\r\n");
    ASSERT_TRUE(client.has("100 Continue\r\n\r\n"));
    client.send(R"({"model":"tiny"})");
    EXPECT_EQ(asked().request.model, "tiny");
    EXPECT_EQ(
        ask("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1001\r\n\r\n")
            .status,
        413U);
}

TEST_F(ApiServerTest, TellsWhichMethodsAPathTakes) {
    Reply wrong = ask(get("/v1/chat/completions?a=b"));
    EXPECT_EQ(wrong.status, 405U);
    EXPECT_EQ(wrong.header("allow"), "POST, OPTIONS");
    EXPECT_EQ(ask(post("/v1/models?limit=2", "{}")).header("allow"), "GET, HEAD, OPTIONS");
    Reply options_of = ask(get("/v1/messages", "", "OPTIONS"));
    EXPECT_EQ(options_of.status, 200U);
    EXPECT_EQ(options_of.header("allow"), "POST, OPTIONS");
    EXPECT_TRUE(options_of.headers.find("access-control-allow-origin") == options_of.headers.end());
    EXPECT_EQ(ask(get("*", "", "OPTIONS")).status, 200U);
    EXPECT_EQ(ask(get("/nowhere", "", "OPTIONS")).status, 404U);
    EXPECT_EQ(ask(get("/v1/models", "", "BREW")).status, 405U);
    EXPECT_EQ(ask(get("nowhere")).status, 400U);
}

TEST_F(ApiServerTest, AnswersHeadWithoutABodyAndKeepsTheConnection) {
    Client client = this->client();
    client.send(get("/v1/models", "", "HEAD") + get("/health"));
    Reply head = client.reply(true);
    EXPECT_EQ(head.status, 200U);
    EXPECT_NE(head.header("content-length"), "0");
    EXPECT_EQ(client.reply().body, R"({"status":"ok"})");
}

TEST_F(ApiServerTest, GivesEachAnswerARequestId) {
    EXPECT_EQ(ask(get("/health", "X-Request-Id: mine-1\r\n")).header("x-request-id"), "mine-1");
    EXPECT_EQ(ask(get("/nowhere", "X-Request-Id: mine-2\r\n")).header("x-request-id"), "mine-2");
    for (const std::string& id : {std::string("a b"), std::string(129, 'a'), std::string("\xc3\xa4"), std::string()})
        EXPECT_TRUE(ask(get("/health", "X-Request-Id: " + id + "\r\n")).header("x-request-id").starts_with("req_"))
            << id;
    EXPECT_TRUE(ask("nonsense\r\n\r\n").header("x-request-id").starts_with("req_"));
}

TEST_F(ApiServerTest, SaysWhatIsWrongWithABody) {
    const std::string path = "/v1/chat/completions";
    EXPECT_EQ(ask(post(path, R"({"model":"tiny"})")).error("param"), "messages");
    EXPECT_EQ(ask(post(path, R"({"messages":[1]})")).error("param"), "model");
    Reply broken = ask(post(path, R"({"model": tiny})"));
    EXPECT_EQ(broken.status, 400U);
    EXPECT_TRUE(broken.error("message").ends_with("at byte 11")) << broken.body;
    EXPECT_EQ(ask(post("/v1/messages", "")).error("type"), "invalid_request_error");
}

TEST_F(ApiServerTest, RefusesWhatIsNotHttp) {
    EXPECT_EQ(ask("\x16\x03\x01\x02\r\n\r\n").status, 400U);
    EXPECT_EQ(ask("GET / HTTP/1.1\r\nHost: localhost\r\nX: " + std::string(40000, 'a') + "\r\n\r\n").status, 431U);
    EXPECT_EQ(ask("POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n").status,
              400U);
}

}  // namespace
}  // namespace planetserve::adapters
