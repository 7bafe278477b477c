// With a script in place of the engine, and with the real llama-server where PLANETSERVE_ENGINE (its folder) and
// PLANETSERVE_MODELS are set.
#include "adapters/llama/managed_engine.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "adapters/llama/test_support.h"

namespace planetserve::adapters {
namespace {

namespace fs = std::filesystem;
using namespace testing_support;

bool runs(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::size_t at = text.rfind(") ");
    return at != std::string::npos && text[at + 2] != 'Z';
}

std::string file_contents(const fs::path& file) {
    std::ifstream in(file);
    return {std::istreambuf_iterator<char>(in), {}};
}

struct ManagedEngineTest : testing::Test {
    ManagedEngineOptions scripted(const std::string& script) {
        fs::path program = folder.path / "engine.sh";
        std::ofstream(program) << "#!/bin/sh\n" << script;
        fs::permissions(program, fs::perms::owner_all);
        ManagedEngineOptions options;
        options.program = program;
        options.model_file = folder.path / "m.gguf";
        options.alias = "small";
        options.socket = folder.path / "e.sock";
        options.log = folder.path / "e.log";
        options.shortest_backoff = 50ms;
        return options;
    }
    ManagedEngine::StateHandler record() {
        return [this](const EngineStatus& status) { heard.push_back(status); };
    }

    TemporaryFolder folder;
    boost::asio::io_context context;
    std::vector<EngineStatus> heard;
};

TEST_F(ManagedEngineTest, IsGivenItsOptionsAndRestartedWithBackoffWhenItExits) {
    ManagedEngineOptions options = scripted("echo \"$@\"\nls /proc/self/fd | wc -l\nexit 3\n");
    options.slots = 3;
    options.context = 512;
    options.threads = 7;
    options.extra_arguments = {"--seed", "1"};
    ManagedEngine engine(context, options, record());
    RecordingSink sink;
    auto refused = engine.start(post_of("/v1/completions", ""), sink);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::unavailable);
    auto began = std::chrono::steady_clock::now();
    engine.run();
    EXPECT_EQ(engine.status().state, EngineState::starting);
    ASSERT_TRUE(run_until(context, [&] { return engine.restarts() == 3; }));
    EXPECT_GE(std::chrono::steady_clock::now() - began, 350ms);  // 50 + 100 + 200
    std::string printed = file_contents(options.log);
    EXPECT_NE(printed.find("--alias small -np 3 -c 1536 -t 7 "), std::string::npos) << printed;
    EXPECT_NE(printed.find("--seed 1\n4\n"), std::string::npos) << printed;  // 0, 1, 2 and ls's own
    ASSERT_GE(heard.size(), 2U);
    EXPECT_EQ(heard[0].state, EngineState::starting);
    EXPECT_EQ(heard[1].state, EngineState::failing);
    EXPECT_NE(heard[1].reason.find("exited with status 3"), std::string::npos);
}

TEST_F(ManagedEngineTest, AMissingProgramIsNamed) {
    ManagedEngineOptions options = scripted("");
    options.program = folder.path / "no-such-engine";
    ManagedEngine engine(context, options);
    engine.run();
    EXPECT_EQ(engine.status().state, EngineState::failing);
    EXPECT_NE(engine.status().reason.find("no-such-engine: No such file"), std::string::npos) << engine.status().reason;
}

TEST_F(ManagedEngineTest, OneThatDoesNotHeedIsKilledAfterTheGrace) {
    ManagedEngineOptions options = scripted("trap '' TERM\necho up\nwhile :; do sleep 0.1; done\n");
    options.stop_grace = 200ms;
    ManagedEngine engine(context, options, record());
    engine.run();
    pid_t pid = engine.pid();
    ASSERT_TRUE(run_until(context, [&] { return file_contents(options.log) == "up\n"; }));
    engine.stop();
    EXPECT_TRUE(runs(pid));
    ASSERT_TRUE(run_until(context, [&] { return engine.status().state == EngineState::stopped; }));
    EXPECT_FALSE(runs(pid));
    EXPECT_EQ(engine.restarts(), 0U);
}

TEST_F(ManagedEngineTest, EndsWithItsOwnerAndPutsLargeLogsBy) {
    ManagedEngineOptions options = scripted("sleep 100\n");
    std::ofstream(options.log) << "old";
    fs::resize_file(options.log, (16 << 20) + 1);
    pid_t pid = 0;
    {
        ManagedEngine engine(context, options);
        engine.run();
        pid = engine.pid();
        EXPECT_TRUE(runs(pid));
    }
    EXPECT_FALSE(runs(pid));
    EXPECT_EQ(fs::file_size(options.log), 0U);
    EXPECT_EQ(fs::file_size(options.log.string() + ".1"), (16U << 20) + 1);
}

TEST_F(ManagedEngineTest, ASocketPathTooLongIsReplacedByAPrivateFolder) {
    ManagedEngineOptions options = scripted("");
    options.socket = folder.path / std::string(120, 'd') / "e.sock";
    fs::path own;
    {
        ManagedEngine engine(context, options);
        own = engine.socket().parent_path();
        EXPECT_LT(engine.socket().native().size(), 108U);
        EXPECT_EQ(fs::status(own).permissions(), fs::perms::owner_all);
    }
    EXPECT_FALSE(fs::exists(own));
    options.slots = 0;
    EXPECT_THROW(ManagedEngine(context, options), std::invalid_argument);
}

struct RealEngineTest : ManagedEngineTest {
    void SetUp() override {
        const char* engine = std::getenv("PLANETSERVE_ENGINE");
        const char* models = std::getenv("PLANETSERVE_MODELS");
        if (!engine || !models) GTEST_SKIP() << "PLANETSERVE_ENGINE and PLANETSERVE_MODELS are not set";
        options.program = fs::path(engine) / "bin/llama-server";
        options.model_file = fs::path(models) / "SmolLM2-135M-Instruct.Q8_0.gguf";
        options.alias = "small";
        options.socket = folder.path / "e.sock";
        options.log = folder.path / "e.log";
        options.slots = 2;
        options.context = 1024;
        options.threads = 1;  // tests run beside each other
        options.cache_mib = 16;
        options.shortest_backoff = 100ms;
        if (!fs::exists(options.program)) GTEST_SKIP() << options.program << " is not there";
        if (!fs::exists(options.model_file)) GTEST_SKIP() << options.model_file << " is not there";
    }
    bool until_ready(ManagedEngine& engine) {
        return run_until(
            context, [&] { return engine.status().state == EngineState::ready; }, std::chrono::seconds(60));
    }
    static inference::Request chat(int tokens) {
        return post_of("/v1/chat/completions",
                       R"({"model":"small","stream":true,"temperature":0,"ignore_eos":true,"max_tokens":)" +
                           std::to_string(tokens) +
                           R"(,"messages":[{"role":"user","content":"Count upwards from one."}]})");
    }
    void ask(ManagedEngine& engine, RecordingSink& sink, inference::Request request) {
        auto exchange = engine.start(std::move(request), sink);
        ASSERT_TRUE(exchange) << exchange.error().message;
        sink.exchange = std::move(*exchange);
    }
    void expect_answer(ManagedEngine& engine) {
        RecordingSink sink;
        ask(engine, sink, chat(16));
        ASSERT_TRUE(run_until(context, [&] { return sink.over(); }, std::chrono::seconds(60)));
        EXPECT_FALSE(sink.error) << sink.error->message;
        EXPECT_EQ(sink.head.status, 200U);
        EXPECT_GE(sink.pieces.size(), 8U);  // it came as a stream
        EXPECT_NE(sink.body.find(R"("model":"small")"), std::string::npos);
        EXPECT_TRUE(sink.body.ends_with("data: [DONE]\n\n"));
    }
    std::string metrics(ManagedEngine& engine) {
        inference::Request request;
        request.method = "GET";
        request.path = "/metrics";
        RecordingSink sink;
        ask(engine, sink, request);
        run_until(context, [&] { return sink.over(); });
        return sink.body;
    }

    ManagedEngineOptions options;
};

TEST_F(RealEngineTest, StreamsAndServesAgainAfterItWasKilled) {
    ManagedEngine engine(context, options, record());
    engine.run();
    ASSERT_TRUE(until_ready(engine));
    expect_answer(engine);
    RecordingSink cut;
    ask(engine, cut, chat(900));
    ASSERT_TRUE(run_until(context, [&] { return cut.pieces.size() > 2; }));
    pid_t first = engine.pid();
    ::kill(first, SIGKILL);
    ASSERT_TRUE(run_until(context, [&] { return cut.over(); }));
    ASSERT_TRUE(cut.error);
    EXPECT_EQ(cut.error->code, ErrorCode::internal) << "it had the request";
    ASSERT_TRUE(run_until(context, [&] { return engine.status().state != EngineState::ready; }));
    RecordingSink sink;
    auto refused = engine.start(chat(1), sink);
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("killed by signal 9"), std::string::npos) << refused.error().message;
    ASSERT_TRUE(until_ready(engine));
    EXPECT_NE(engine.pid(), first);
    EXPECT_EQ(engine.restarts(), 1U);
    expect_answer(engine);
    engine.stop();
    ASSERT_TRUE(run_until(context, [&] { return engine.status().state == EngineState::stopped; }));
}

// On the code before, requests at a stopped engine waited for two minutes.
TEST_F(RealEngineTest, OneThatIsStoppedLosesItsRequestsAndItsPlaceInTheListWithinTenSeconds) {
    ManagedEngine engine(context, options, record());
    engine.run();
    ASSERT_TRUE(until_ready(engine));
    RecordingSink held;
    ask(engine, held, chat(900));
    ASSERT_TRUE(run_until(context, [&] { return held.pieces.size() > 2; }));
    ::kill(engine.pid(), SIGSTOP);
    auto stopped = std::chrono::steady_clock::now();
    ASSERT_TRUE(run_until(context, [&] { return held.over(); }));
    EXPECT_LT(std::chrono::steady_clock::now() - stopped, 12s);
    ASSERT_TRUE(held.error);
    EXPECT_EQ(held.error->code, ErrorCode::internal);
    EXPECT_EQ(engine.status().state, EngineState::failing);
    ::kill(engine.pid(), SIGCONT);
    ASSERT_TRUE(until_ready(engine)) << "it goes on";
    EXPECT_EQ(engine.restarts(), 0U);
    expect_answer(engine);
}

// On the code before, it was asked again and again, and its engine ended each time.
TEST_F(RealEngineTest, TheOnlyRequestAtACrashIsRefused) {
    ManagedEngine engine(context, options, record());
    engine.run();
    ASSERT_TRUE(until_ready(engine));
    RecordingSink sink;
    ask(engine, sink, chat(900));
    ASSERT_TRUE(run_until(context, [&] { return sink.pieces.size() > 2; }));
    ::kill(engine.pid(), SIGSEGV);
    ASSERT_TRUE(run_until(context, [&] { return sink.over(); }));
    ASSERT_TRUE(run_until(context, [&] { return engine.status().state != EngineState::ready; }));
    EXPECT_EQ(engine.status().state, EngineState::restarting) << "its node lists it meanwhile";
    ASSERT_TRUE(run_until(context, [&] { return engine.restarts() == 1; }));
    EXPECT_EQ(engine.status().state, EngineState::restarting);
    ASSERT_TRUE(until_ready(engine));
    RecordingSink again;
    auto refused = engine.start(chat(900), again);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::invalid_argument);
    expect_answer(engine);
}

TEST_F(RealEngineTest, HangingUpFreesTheSlot) {
    ManagedEngine engine(context, options);
    engine.run();
    ASSERT_TRUE(until_ready(engine));
    RecordingSink sink;
    ask(engine, sink, chat(900));
    ASSERT_TRUE(run_until(context, [&] { return sink.pieces.size() > 2; }));
    EXPECT_NE(metrics(engine).find("llamacpp:requests_processing 1"), std::string::npos);
    ASSERT_FALSE(sink.over());
    auto hung_up = std::chrono::steady_clock::now();
    sink.exchange.reset();
    bool freed = false;
    while (!freed && std::chrono::steady_clock::now() - hung_up < 2s)
        freed = metrics(engine).find("llamacpp:requests_processing 0") != std::string::npos;
    EXPECT_TRUE(freed);
}

// The engine ends when the node is killed by a signal that the node cannot handle.
TEST_F(RealEngineTest, DoesNotOutliveAKilledNode) {
    int report[2];
    ASSERT_EQ(::pipe(report), 0);
    context.notify_fork(boost::asio::execution_context::fork_prepare);
    pid_t node = ::fork();
    if (node == 0) {
        boost::asio::io_context own;
        ManagedEngine engine(own, options);
        engine.run();
        run_until(own, [&] { return engine.status().state == EngineState::ready; }, std::chrono::seconds(60));
        pid_t pid = engine.status().state == EngineState::ready ? engine.pid() : 0;
        if (::write(report[1], &pid, sizeof(pid)) != sizeof(pid)) ::_exit(1);
        own.run();
        ::_exit(0);
    }
    context.notify_fork(boost::asio::execution_context::fork_parent);
    pid_t engine = 0;
    ASSERT_EQ(::read(report[0], &engine, sizeof(engine)), static_cast<ssize_t>(sizeof(engine)));
    EXPECT_GT(engine, 0);
    EXPECT_TRUE(runs(engine));
    ::kill(node, SIGKILL);
    ::waitpid(node, nullptr, 0);
    EXPECT_TRUE(run_until(context, [&] { return !runs(engine); }, std::chrono::seconds(5)));
    ::close(report[0]);
    ::close(report[1]);
}

}  // namespace
}  // namespace planetserve::adapters
