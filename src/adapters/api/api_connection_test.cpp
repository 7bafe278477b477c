// Deadlines, many requests of one connection, bounds on connections, and the ends of a server.

#include <sys/resource.h>

#include "adapters/api/api_fixture.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;
using ApiConnectionTest = ApiTest;

TEST_F(ApiConnectionTest, ClosesAnIdleConnectionAfterAPost) {
    options.idle_deadline = 50ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    asked().whole(200, "application/json", "{}");
    EXPECT_EQ(client.reply().header("connection"), "keep-alive");
    EXPECT_TRUE(client.closed());
}

TEST_F(ApiConnectionTest, TellsASlowSenderOfAHeader) {
    options.header_deadline = 50ms;
    Client client = this->client();
    client.send("GET /health HTTP/1.1\r\nHost: loc");
    Reply late = client.reply();
    EXPECT_EQ(late.status, 408U);
    EXPECT_EQ(late.header("connection"), "close");
    EXPECT_TRUE(client.closed());
}

TEST_F(ApiConnectionTest, TellsASlowSenderOfABody) {
    options.body_deadline = 50ms;
    Client client = this->client();
    client.send("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
    EXPECT_EQ(client.reply().status, 408U);
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(service.asked.empty());
}

TEST_F(ApiConnectionTest, GivesUpOnAReaderThatTakesNothing) {
    options.write_deadline = 100ms;
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    auto& request = asked();
    request.head(200, "application/octet-stream");
    // What is written is consumed, so this goes on until the sockets' buffers are full.
    std::string piece(inference::reply_window / 2, 'x');
    std::size_t delivered = 0;
    EXPECT_TRUE(run_until(context, [&] {
        while (request.sink != nullptr && delivered + piece.size() <= request.consumed + inference::reply_window) {
            request.body(piece);
            delivered += piece.size();
        }
        return request.sink == nullptr;
    }));
}

TEST_F(ApiConnectionTest, AnswersAPipelinedRequest) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat));
    auto& first = asked();
    client.send(post("/v1/completions", R"({"model":"tiny"})") + get("/health"));
    first.whole(200, "application/json", "1");
    EXPECT_EQ(client.reply().body, "1");
    asked(2).whole(200, "application/json", "2");
    EXPECT_EQ(client.reply().body, "2");
    EXPECT_EQ(client.reply().body, R"({"status":"ok"})");
}

TEST_F(ApiConnectionTest, AnswersRequestsSentAsOne) {
    Client client = this->client();
    client.send(post("/v1/chat/completions", chat) + post("/v1/chat/completions", chat) + get("/health"));
    for (std::size_t count : {1U, 2U}) {
        asked(count).whole(200, "application/json", std::to_string(count));
        EXPECT_EQ(client.reply().body, std::to_string(count));
    }
    EXPECT_EQ(client.reply().status, 200U);
}

TEST_F(ApiConnectionTest, AnswersARequestOfWhichHalfCameEarly) {
    Client client = this->client();
    std::string second = get("/health");
    client.send(post("/v1/chat/completions", chat));
    auto& first = asked();
    client.send(second.substr(0, 20));
    first.whole(200, "application/json", "1");
    EXPECT_EQ(client.reply().body, "1");
    client.send(second.substr(20));
    EXPECT_EQ(client.reply().status, 200U);
}

TEST_F(ApiConnectionTest, CancelsTheRequestOfAClientThatHangsUp) {
    auto client = std::make_unique<Client>(this->client());
    client->send(post("/v1/chat/completions", chat));
    auto& request = asked();
    ASSERT_NE(request.sink, nullptr);
    client.reset();
    EXPECT_TRUE(run_until(context, [&] { return request.sink == nullptr; }));
    EXPECT_NE(metrics_text().find("in_flight 1\n"), std::string::npos);  // the one that asks for the figures
}

TEST_F(ApiConnectionTest, GivesAnHttp10ClientTheWholeReplyAndCloses) {
    Client client = this->client();
    client.send("POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(streamed.size()) + "\r\n\r\n" + streamed);
    auto& request = asked();
    request.head(200, "text/event-stream");
    request.body("data: 1\n\n");
    ASSERT_TRUE(client.has("data: 1\n\n"));
    request.body("data: [DONE]\n\n");
    request.end();
    Reply reply = client.reply();
    EXPECT_EQ(reply.body, "data: 1\n\ndata: [DONE]\n\n");
    EXPECT_EQ(reply.header("transfer-encoding"), "");
    EXPECT_EQ(reply.header("connection"), "close");
    EXPECT_FALSE(client.was_reset());
}

TEST_F(ApiConnectionTest, ResetsAnHttp10ClientWhoseReplyBreaksOff) {
    Client client = this->client();
    client.send("POST /v1/chat/completions HTTP/1.0\r\nHost: localhost\r\nContent-Length: " +
                std::to_string(chat.size()) + "\r\n\r\n" + chat);
    auto& request = asked();
    request.head(200, "application/json");
    request.body("{\"half\":");
    ASSERT_TRUE(client.has("half"));
    request.error({ErrorCode::timed_out, "silence"});
    EXPECT_TRUE(client.closed());
    EXPECT_TRUE(client.was_reset());
}

TEST_F(ApiConnectionTest, BoundsItsConnections) {
    options.maximum_connections = 2;
    Client first = client();
    Client second = client();
    first.send(get("/health"));
    second.send(get("/health"));
    EXPECT_EQ(first.reply().status, 200U);
    EXPECT_EQ(second.reply().status, 200U);
    Client third = client();
    EXPECT_EQ(third.reply().status, 503U);
    first.socket().close();
    EXPECT_TRUE(run_until(context, [&] {
        Client next(context, port);
        next.send(get("/health"));
        return next.reply().status == 200;
    }));
}

TEST_F(ApiConnectionTest, PausesWhenThereAreNoFileDescriptors) {
    options.accept_pause = 20ms;
    // UBSan opens a pipe for each type that it meets for the first time, and takes a pipe it cannot have for a wrong
    // type. This one stays open, so that its end is not the first that is met.
    Client first = this->client();
    first.send(get("/health"));
    EXPECT_EQ(first.reply().status, 200U);
    Client client = this->client();  // accepted once the context runs
    rlimit before{};
    ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none{0, before.rlim_max};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    // A loop that tries again at once would always have a handler ready.
    std::size_t handlers = 0;
    context.restart();
    while (handlers < 1000 && context.poll_one() > 0) ++handlers;
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_LT(handlers, 1000U);
    client.send(get("/health"));
    EXPECT_EQ(client.reply().status, 200U);
}

TEST_F(ApiConnectionTest, DrainLetsRequestsFinishAndTellsOnce) {
    Client busy = client();
    Client idle = client();
    idle.send(get("/health"));
    EXPECT_EQ(idle.reply().status, 200U);
    busy.send(post("/v1/chat/completions", chat));
    auto& request = asked();
    int told = 0;
    server->drain(60s, [&] { ++told; });
    EXPECT_TRUE(idle.closed());
    EXPECT_EQ(told, 0);
    boost::system::error_code refused;
    tcp::socket late(context);
    late.connect({boost::asio::ip::make_address("127.0.0.1"), port}, refused);
    EXPECT_EQ(refused, boost::asio::error::connection_refused);
    request.whole(200, "application/json", "done");
    Reply last = busy.reply();
    EXPECT_EQ(last.body, "done");
    EXPECT_EQ(last.header("connection"), "close");
    EXPECT_TRUE(run_until(context, [&] { return told > 0; }));
    // Nothing is left that would keep the context running.
    context.restart();
    context.run();
    EXPECT_EQ(told, 1);
}

TEST_F(ApiConnectionTest, DrainCancelsWhatTakesTooLong) {
    Client busy = client();
    busy.send(post("/v1/chat/completions", chat));
    auto& request = asked();
    int told = 0;
    server->drain(30ms, [&] { ++told; });
    EXPECT_TRUE(run_until(context, [&] { return told == 1; }));
    EXPECT_EQ(request.sink, nullptr);
    EXPECT_TRUE(busy.closed());
}

TEST_F(ApiConnectionTest, DrainOfAnEmptyServerTellsAtOnceAndNeverAfterItsEnd) {
    start();
    int told = 0;
    server->drain(60s, [&] { ++told; });
    server->drain(60s, [&] { ++told; });
    EXPECT_EQ(told, 0) << "from the io_context, not from the call";
    EXPECT_TRUE(run_until(context, [&] { return told == 2; }));
    server->drain(60s, [&] { ++told; });
    server.reset();
    context.restart();
    context.run();
    EXPECT_EQ(told, 2);
}

}  // namespace
}  // namespace planetserve::adapters
