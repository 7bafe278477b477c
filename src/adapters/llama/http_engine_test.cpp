#include "adapters/llama/http_engine.h"

#include <gtest/gtest.h>

#include "adapters/llama/reply_parser.h"
#include "adapters/llama/test_support.h"
#include "base/random.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;

constexpr std::string_view streamed_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nX-Request-Id: r1\r\nServer: x\r\nTransfer-Encoding: "
    "chunked\r\n\r\n";

std::string chunk(std::string_view text) {
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", text.size());
    return size + std::string(text) + "\r\n";
}
std::string whole(std::string_view body) {
    return "HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

TEST(HttpTarget, ParsesWhatPeopleWrite) {
    auto target = HttpTarget::parse("https://api.example.org/openai/v1/");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->kind, HttpTarget::Kind::https);
    EXPECT_EQ(target->host, "api.example.org");
    EXPECT_EQ(target->port, "443");
    EXPECT_EQ(target->prefix, "/openai");
    EXPECT_EQ(target->authority(), "api.example.org");
    target = HttpTarget::parse("http://[::1]:8000/v1");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->host, "::1");
    EXPECT_EQ(target->prefix, "");
    EXPECT_EQ(target->authority(), "[::1]:8000");
    target = HttpTarget::parse("unix:/run/e.sock");
    ASSERT_TRUE(target);
    EXPECT_EQ(target->host, "/run/e.sock");
    for (std::string bad : {"", "api.example.org", "ftp://x", "http://", "http://u:p@x", "http://x:0", "http://x?y",
                            "http://x y", "unix:relative"})
        EXPECT_FALSE(HttpTarget::parse(bad)) << bad;
    EXPECT_FALSE(HttpTarget::parse("/" + std::string(108, 'x')));
}

// A reply gives the same result however it is cut into reads.
TEST(ReplyParser, CutsDoNotMatter) {
    std::string reply = "HTTP/1.1 100 Continue\r\n\r\n" + std::string(streamed_head) + chunk("data: 1\n\n") +
                        chunk(std::string(5000, 'y')) + "0\r\n\r\n";
    SeededRandom random(7);
    for (int round = 0; round < 300; ++round) {
        ReplyParser parser;
        std::string body;
        for (std::size_t at = 0; at < reply.size();) {
            std::size_t size = std::min<std::size_t>(reply.size() - at, 1 + random.below(round < 100 ? 3 : 600));
            ASSERT_TRUE(parser.feed(as_bytes(std::string_view(reply).substr(at, size))));
            body += as_text(parser.take_body());
            at += size;
        }
        ASSERT_TRUE(parser.complete());
        ASSERT_TRUE(parser.reusable());
        ASSERT_EQ(body, "data: 1\n\n" + std::string(5000, 'y'));
        ASSERT_EQ(parser.head().status, 200U);
        std::vector<std::pair<std::string, std::string>> expected{{"content-type", "text/event-stream"},
                                                                  {"x-request-id", "r1"}};
        ASSERT_EQ(parser.head().headers, expected);
    }
}

TEST(ReplyParser, TakesAnEmptyChunkedBodyByteByByte) {
    ReplyParser parser;
    for (char byte : std::string("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n")) {
        EXPECT_FALSE(parser.complete());
        ASSERT_TRUE(parser.feed(as_bytes({&byte, 1})));
    }
    EXPECT_TRUE(parser.complete());
    EXPECT_TRUE(parser.take_body().empty());
}

TEST(ReplyParser, TellsAnEndFromABreak) {
    ReplyParser open_ended;
    ASSERT_TRUE(open_ended.feed(as_bytes("HTTP/1.1 200 OK\r\n\r\nto the end")));
    EXPECT_FALSE(open_ended.complete());
    EXPECT_TRUE(open_ended.closed());
    EXPECT_TRUE(open_ended.complete());
    EXPECT_FALSE(open_ended.reusable());
    ReplyParser broken;
    ASSERT_TRUE(broken.feed(as_bytes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab")));
    EXPECT_FALSE(broken.closed());
    ReplyParser nothing;
    EXPECT_FALSE(nothing.closed());
    ReplyParser half;
    ASSERT_TRUE(half.feed(as_bytes("HTTP/1.1 200 OK\r\nConte")));
    EXPECT_FALSE(half.closed());
    ReplyParser interim;
    EXPECT_FALSE(interim.feed(as_bytes("HTTP/1.1 101 Switching Protocols\r\n\r\n")));
}

struct HttpEngineTest : testing::Test {
    HttpEngineOptions options() {
        HttpEngineOptions options;
        options.target = HttpTarget::parse((folder.path / "s.sock").string()).value();
        return options;
    }
    void serve(TinyServer::Answer answer) {
        server = std::make_unique<TinyServer>(context, folder.path / "s.sock", std::move(answer));
    }
    void ask(HttpEngine& engine, RecordingSink& sink, std::string body = "{}") {
        auto exchange = engine.start(post_of("/v1/chat/completions", body), sink);
        ASSERT_TRUE(exchange) << exchange.error().message;
        sink.exchange = std::move(*exchange);
    }
    bool finish(RecordingSink& sink) {
        return run_until(context, [&] { return sink.over(); });
    }

    TemporaryFolder folder;
    boost::asio::io_context context;
    std::unique_ptr<TinyServer> server;
};

TEST_F(HttpEngineTest, StreamsAndKeepsTheConnection) {
    std::string seen;
    serve([&](int, const std::string& request) {
        seen = request;
        return std::vector<std::string>{std::string(streamed_head), chunk("data: a\n\n"), chunk("data: b\n\n"),
                                        "0\r\n\r\n"};
    });
    HttpEngineOptions with_key = options();
    with_key.bearer_key = "sk-1";
    HttpEngine engine(context, with_key);
    for (int i = 0; i < 3; ++i) {
        RecordingSink sink;
        ask(engine, sink, R"({"q":1})");
        EXPECT_EQ(sink.heads, 0);
        ASSERT_TRUE(finish(sink));
        EXPECT_TRUE(sink.ended);
        EXPECT_EQ(sink.heads, 1);
        EXPECT_EQ(sink.body, "data: a\n\ndata: b\n\n");
    }
    EXPECT_EQ(server->connections, 1);
    EXPECT_EQ(engine.connections(), 1U);
    EXPECT_NE(seen.find("POST /v1/chat/completions HTTP/1.1\r\nHost: localhost\r\n"), std::string::npos);
    EXPECT_NE(seen.find("\r\nAuthorization: Bearer sk-1\r\n"), std::string::npos);
    EXPECT_NE(seen.find("\r\n\r\n{\"q\":1}"), std::string::npos);
}

TEST_F(HttpEngineTest, DeliversEachPieceBeforeTheReplyIsComplete) {
    serve(
        [&](int, const std::string&) { return std::vector<std::string>{std::string(streamed_head) + chunk("first")}; });
    HttpEngine engine(context, options());
    RecordingSink sink;
    ask(engine, sink);
    ASSERT_TRUE(run_until(context, [&] { return sink.body == "first"; }));
    EXPECT_FALSE(sink.over());
    sink.exchange.reset();  // hangs up, which tells the server
    EXPECT_TRUE(run_until(context, [&] { return server->hangups == 1; }));
    EXPECT_EQ(engine.connections(), 0U);
}

TEST_F(HttpEngineTest, ASinkMayHangUpInsideCallbacks) {
    serve([&](int, const std::string&) { return std::vector<std::string>{whole("body")}; });
    HttpEngine engine(context, options());
    RecordingSink at_head, at_body, before;
    at_head.hang_up_at_head = at_body.hang_up_at_body = true;
    ask(engine, at_head);
    ask(engine, at_body);
    ask(engine, before);
    before.exchange.reset();
    ASSERT_TRUE(run_until(context, [&] { return server->hangups == 2; }));
    EXPECT_EQ(at_head.heads, 1);
    EXPECT_EQ(at_head.body, "");
    EXPECT_EQ(at_body.body, "body");
    EXPECT_FALSE(at_head.over() || at_body.over() || before.over());
    EXPECT_EQ(before.heads, 0);
}

TEST_F(HttpEngineTest, ASlowReaderHoldsTheServerBack) {
    std::string huge(8 << 20, 'z');
    serve([&](int, const std::string&) { return std::vector<std::string>{whole(huge)}; });
    HttpEngine engine(context, options());
    RecordingSink sink;
    sink.consume = false;
    ask(engine, sink);
    EXPECT_FALSE(
        run_until(context, [&] { return sink.body.size() > inference::reply_window; }, std::chrono::milliseconds(700)));
    EXPECT_EQ(sink.body.size(), inference::reply_window);
    sink.consume = true;
    sink.exchange->consumed(inference::reply_window);
    ASSERT_TRUE(finish(sink));
    EXPECT_EQ(sink.body.size(), huge.size());
    EXPECT_TRUE(sink.ended);
}

TEST_F(HttpEngineTest, ADeadKeptConnectionIsReplacedOnce) {
    // The server closes the connection at its second request: an idle connection can lose this race.
    serve([&](int number, const std::string&) {
        return number == 2 ? std::vector<std::string>{""} : std::vector<std::string>{whole("ok")};
    });
    HttpEngine engine(context, options());
    for (int i = 0; i < 2; ++i) {
        RecordingSink sink;
        ask(engine, sink);
        ASSERT_TRUE(finish(sink));
        EXPECT_EQ(sink.body, "ok");
    }
    EXPECT_EQ(server->requests, 3);
    EXPECT_EQ(server->connections, 2);
    server->close_connections();
    RecordingSink sink;
    ask(engine, sink);
    ASSERT_TRUE(finish(sink));
    EXPECT_EQ(sink.body, "ok");
    EXPECT_EQ(server->requests, 4);  // the dead connection was noticed before anything was sent
}

// On the code before, a request that ends an engine was taken for one that never reached any, and went to all nodes.
TEST_F(HttpEngineTest, AServerThatEndsWithARequestOnAKeptConnectionHadIt) {
    serve([&](int number, const std::string&) {
        if (number == 1) return std::vector<std::string>{whole("ok")};
        std::filesystem::remove(folder.path / "s.sock");
        return std::vector<std::string>{""};
    });
    HttpEngine engine(context, options());
    RecordingSink answered, lost, late;
    ask(engine, answered);
    ASSERT_TRUE(finish(answered));
    ask(engine, lost);
    ASSERT_TRUE(finish(lost));
    ASSERT_TRUE(lost.error);
    EXPECT_EQ(lost.error->code, ErrorCode::internal);
    ask(engine, late);
    ASSERT_TRUE(finish(late));
    ASSERT_TRUE(late.error);
    EXPECT_EQ(late.error->code, ErrorCode::unavailable);
}

TEST_F(HttpEngineTest, AFreshConnectionThatBreaksIsNotTriedAgain) {
    serve([&](int, const std::string&) { return std::vector<std::string>{""}; });
    HttpEngine engine(context, options());
    RecordingSink sink;
    ask(engine, sink);
    ASSERT_TRUE(finish(sink));
    EXPECT_EQ(sink.error->code, ErrorCode::internal);
    EXPECT_EQ(server->requests, 1);
}

TEST_F(HttpEngineTest, ABrokenReplyIsAnError) {
    serve([&](int number, const std::string&) -> std::vector<std::string> {
        switch (number) {
            case 1:
                return {std::string(streamed_head) + chunk("half"), ""};
            case 2:
                return {"SSH-2.0-OpenSSH\r\n\r\n"};
            case 3:
                return {std::string(streamed_head) + "zz\r\n"};
            default:
                return {"HTTP/1.1 200 OK\r\nX-Large: " + std::string(40000, 'x') + "\r\n\r\n"};
        }
    });
    HttpEngine engine(context, options());
    ErrorCode expected[] = {ErrorCode::internal, ErrorCode::malformed, ErrorCode::malformed, ErrorCode::malformed};
    for (ErrorCode code : expected) {
        RecordingSink sink;
        ask(engine, sink);
        ASSERT_TRUE(finish(sink));
        ASSERT_TRUE(sink.error);
        EXPECT_EQ(sink.error->code, code) << sink.error->message;
        EXPECT_FALSE(sink.ended);
    }
    EXPECT_EQ(engine.connections(), 0U);
}

TEST_F(HttpEngineTest, SilenceEndsAtTheDeadlines) {
    serve([&](int number, const std::string&) {
        return number == 1 ? std::vector<std::string>{} : std::vector<std::string>{std::string(streamed_head)};
    });
    HttpEngineOptions impatient = options();
    impatient.head_deadline = impatient.body_deadline = 150ms;
    HttpEngine engine(context, impatient);
    for (int i = 0; i < 2; ++i) {
        RecordingSink sink;
        ask(engine, sink);
        ASSERT_TRUE(finish(sink));
        ASSERT_TRUE(sink.error);
        EXPECT_EQ(sink.error->code, ErrorCode::timed_out);
        EXPECT_EQ(sink.heads, i);
    }
}

TEST_F(HttpEngineTest, NobodyThereIsUnavailable) {
    HttpEngine engine(context, options());
    RecordingSink sink;
    ask(engine, sink);
    ASSERT_TRUE(finish(sink));
    EXPECT_EQ(sink.error->code, ErrorCode::unavailable);
}

TEST_F(HttpEngineTest, RefusesWhatWouldChangeTheHeadAndMoreThanItsLimit) {
    HttpEngineOptions few = options();
    few.connections = 1;
    HttpEngine engine(context, few);
    RecordingSink sink;
    for (std::string path : {"v1", "/v1 HTTP/1.1\r\nX: y", "/a b", ""}) {
        auto exchange = engine.start(post_of(path, ""), sink);
        ASSERT_FALSE(exchange);
        EXPECT_EQ(exchange.error().code, ErrorCode::invalid_argument);
    }
    auto request = post_of("/v1", "");
    request.content_type = "a\r\nb: c";
    EXPECT_FALSE(engine.start(request, sink));
    request.content_type = "";
    request.method = "TRACE";
    EXPECT_FALSE(engine.start(request, sink));
    few.bearer_key = "a\nb";
    EXPECT_THROW(HttpEngine(context, few), std::invalid_argument);
    auto first = engine.start(post_of("/v1", ""), sink);
    ASSERT_TRUE(first);
    RecordingSink second;
    auto refused = engine.start(post_of("/v1", ""), second);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
    first->reset();
    EXPECT_TRUE(engine.start(post_of("/v1", ""), second));
}

}  // namespace
}  // namespace planetserve::adapters
