// With a small server in place of the upstream.
#include "adapters/llama/upstream_engine.h"

#include <gtest/gtest.h>

#include "adapters/llama/test_support.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;

constexpr const char* empty_answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";

struct UpstreamEngineTest : testing::Test {
    // Answers probes as long as it is up, and each real request by what answer() gives.
    void serve() {
        server = std::make_unique<TinyServer>(context, folder.path / "s", [this](int, const std::string& text) {
            if (!up) return std::vector<std::string>{};
            if (text.find("GET /v1/models") != std::string::npos) return std::vector<std::string>{empty_answer};
            const bool probe = text.find("\"max_tokens\":1,") != std::string::npos;
            if (probe) ++tokens;
            return probe ? probe_answer : answer;
        });
    }
    UpstreamEngine& make() {
        HttpEngineOptions options;
        options.target.kind = HttpTarget::Kind::unix_socket;
        options.target.host = (folder.path / "s").string();
        engine = std::make_unique<UpstreamEngine>(
            context, clock, options, "m", [this](const EngineStatus& status) { heard.push_back(status); },
            [this](const std::string& note) { notes.push_back(note); },
            UpstreamLimits{.pause = 20ms,
                           .answer_deadline = 100ms,
                           .token_every = 150ms,
                           .token_deadline = 100ms,
                           .longest_token_deadline = 300ms,
                           .longest_pause = 40ms});
        engine->run();
        return *engine;
    }
    bool until(EngineState state) {
        return run_until(context, [&] { return engine->status().state == state; });
    }

    TemporaryFolder folder;
    boost::asio::io_context context;
    SystemClock clock;
    bool up = true;
    int tokens = 0;
    std::vector<std::string> answer{};
    std::vector<std::string> probe_answer{empty_answer};
    std::vector<EngineStatus> heard;
    std::vector<std::string> notes;
    std::unique_ptr<TinyServer> server;
    std::unique_ptr<UpstreamEngine> engine;
};

// On the code before, it was listed for ever, and each request waited for ten minutes.
TEST_F(UpstreamEngineTest, OneThatAcceptsAndNeverAnswersIsNotServed) {
    serve();
    up = false;
    make();
    ASSERT_TRUE(until(EngineState::failing));
    RecordingSink sink;
    auto refused = engine->start(post_of("/v1/completions", "{}"), sink);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    up = true;
    EXPECT_TRUE(until(EngineState::ready)) << "as soon as it answers";
}

TEST_F(UpstreamEngineTest, OneThatFallsSilentLosesItsRequests) {
    serve();
    make();
    ASSERT_TRUE(until(EngineState::ready));
    RecordingSink sink;
    auto started = engine->start(post_of("/v1/completions", "{}"), sink);
    ASSERT_TRUE(started);
    sink.exchange = std::move(*started);
    up = false;
    ASSERT_TRUE(until(EngineState::failing));
    ASSERT_TRUE(run_until(context, [&] { return sink.over(); }));
    ASSERT_TRUE(sink.error);
    EXPECT_EQ(sink.error->code, ErrorCode::internal) << "it had the request";
}

TEST_F(UpstreamEngineTest, OneThatAnswersAndGivesNoTokenIsFoundOut) {
    serve();
    make();
    ASSERT_TRUE(until(EngineState::ready));
    probe_answer = {};
    EXPECT_TRUE(until(EngineState::failing));
    probe_answer = {"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"};
    EXPECT_TRUE(until(EngineState::ready)) << "it may serve embeddings only";
    probe_answer = {"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n"};
    EXPECT_TRUE(until(EngineState::failing)) << "each request would fail";
}

// On the code before, users were told where it is.
TEST_F(UpstreamEngineTest, ErrorsNameNoAddress) {
    serve();
    make();
    ASSERT_TRUE(until(EngineState::ready));
    answer = {""};
    RecordingSink cut;
    auto started = engine->start(post_of("/v1/completions", "{}"), cut);
    ASSERT_TRUE(started);
    cut.exchange = std::move(*started);
    ASSERT_TRUE(run_until(context, [&] { return cut.over(); }));
    EXPECT_EQ(cut.error->message, "the engine of m ended while it had the request");
    server.reset();
    std::filesystem::remove(folder.path / "s");
    RecordingSink refused;
    started = engine->start(post_of("/v1/completions", "{}"), refused);
    ASSERT_TRUE(started);
    refused.exchange = std::move(*started);
    ASSERT_TRUE(run_until(context, [&] { return refused.over(); }));
    EXPECT_EQ(refused.error->message, "the engine of m cannot be reached");
    ASSERT_FALSE(notes.empty());
    EXPECT_NE(notes.back(), refused.error->message) << "the operator is told more";
}

}  // namespace
}  // namespace planetserve::adapters
