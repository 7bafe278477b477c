#include "eval/workload/driver.h"

#include <gtest/gtest.h>

#include "adapters/llama/test_support.h"
#include "eval/workload/monitor.h"
#include "eval/workload/results.h"

namespace planetserve::eval {
namespace {

using adapters::testing_support::TemporaryFolder;
using adapters::testing_support::TinyServer;

std::string chunk(std::string_view text) {
    char size[20];
    std::snprintf(size, sizeof(size), "%zx\r\n", text.size());
    return size + std::string(text) + "\r\n";
}

const std::string stream_head =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
const std::string token = chunk("data: {\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n");
const std::string last = chunk(
    "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: "
    "{\"choices\":[],\"usage\":{\"prompt_tokens\":"
    "10,\"completion_tokens\":2,\"prompt_tokens_details\":{\"cached_tokens\":4}}}\n\ndata: [DONE]\n\n");

std::vector<std::string> answer() { return {stream_head, token, token, last + "0\r\n\r\n"}; }
std::vector<std::string> refuse() {
    return {"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 31\r\n\r\n{\"error\":{\"message\":\"loading\"}}"};
}

struct Driver : ::testing::Test {
    std::vector<RequestRecord> send(std::size_t count, std::string session = {}) {
        std::vector<WorkItem> items(count);
        for (auto& item : items) {
            item.at = 0us;
            item.messages = user_message("hello");
            item.session = session;
        }
        options.model = "m";
        Progress progress("test", count);
        auto records = drive(context, options, items, progress);
        EXPECT_TRUE(records) << records.error().message;
        return records ? *records : std::vector<RequestRecord>{};
    }
    std::filesystem::path socket(const std::string& name) { return folder.path / name; }

    TemporaryFolder folder;
    boost::asio::io_context context;
    DriverOptions options;
};

TEST_F(Driver, RoundRobinTakesTurnsAndRecordsWhatServersTell) {
    TinyServer a(context, socket("a"), [](int, const std::string&) { return answer(); });
    TinyServer b(context, socket("b"), [](int, const std::string&) { return answer(); });
    options.endpoints = {socket("a"), socket("b")};
    auto records = send(10);
    EXPECT_EQ(a.requests, 5);
    EXPECT_EQ(b.requests, 5);
    RunSummary summary = summarise(records, 2);
    EXPECT_EQ(summary.errors, 0U);
    EXPECT_EQ(summary.prompt_tokens, 100U);
    EXPECT_EQ(summary.completion_tokens, 20U);
    EXPECT_DOUBLE_EQ(summary.cached_share, 0.4);
    EXPECT_DOUBLE_EQ(summary.load_max_over_mean, 1);
    EXPECT_EQ(summary.ttft.count, 10U);
    for (const auto& record : records) EXPECT_LE(*record.ttft, *record.latency);
}

TEST_F(Driver, TheRequestIsWhatTheServersExpect) {
    std::string seen;
    TinyServer a(context, socket("a"), [&](int, const std::string& request) {
        seen = request;
        return answer();
    });
    options.endpoints = {socket("a")};
    options.ignore_eos = true;
    send(1);
    EXPECT_TRUE(seen.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"));
    EXPECT_TRUE(
        seen.ends_with("{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}],\"max_tokens\":128,"
                       "\"temperature\":0,"
                       "\"seed\":1,\"stream\":true,\"stream_options\":{\"include_usage\":true},\"ignore_eos\":true}"))
        << seen;
}

TEST_F(Driver, RoundRobinCountsTheErrorsOfADeadServer) {
    TinyServer a(context, socket("a"), [](int, const std::string&) { return answer(); });
    options.endpoints = {socket("a"), socket("nobody")};
    auto records = send(6);
    RunSummary summary = summarise(records, 2);
    EXPECT_EQ(summary.requests, 6U);
    EXPECT_EQ(summary.errors, 3U);
    EXPECT_FALSE(records[1].ttft);
    EXPECT_EQ(records[1].status, 0U);
    EXPECT_NE(records[1].error, "");
}

TEST_F(Driver, LeastOutstandingGoesRoundADeadServerAndOneThatRefuses) {
    TinyServer a(context, socket("a"), [](int, const std::string&) { return answer(); });
    TinyServer b(context, socket("b"), [](int, const std::string&) { return refuse(); });
    options.endpoints = {socket("a"), socket("nobody"), socket("b")};
    options.policy = Policy::least_outstanding;
    auto records = send(9);
    EXPECT_EQ(summarise(records, 3).errors, 0U);
    EXPECT_EQ(a.requests, 9);
    for (const auto& record : records) EXPECT_EQ(record.endpoint, 0U);
}

TEST_F(Driver, AllDeadIsAnErrorEachAndNoHang) {
    options.endpoints = {socket("x"), socket("y")};
    options.policy = Policy::least_outstanding;
    auto records = send(4);
    for (const auto& record : records) {
        EXPECT_FALSE(record.ok());
        EXPECT_EQ(record.attempts, 2U);
    }
}

TEST_F(Driver, AServerThatFallsSilentTimesOut) {
    TinyServer mute(context, socket("mute"), [](int, const std::string&) { return std::vector<std::string>{}; });
    TinyServer stalled(context, socket("stalled"),
                       [](int, const std::string&) { return std::vector<std::string>{stream_head, token}; });
    TinyServer chatty(context, socket("chatty"), [](int, const std::string&) {
        return std::vector<std::string>{stream_head, chunk(": wait\n\n")};
    });
    options.endpoints = {socket("mute"), socket("stalled"), socket("chatty")};
    options.first_token_deadline = options.stall_deadline = 50ms;
    auto records = send(3);
    for (const auto& record : records) EXPECT_TRUE(record.error.starts_with("timed out")) << record.error;
    EXPECT_TRUE(records[1].ttft);
    EXPECT_FALSE(records[2].ttft);
}

TEST_F(Driver, AStreamThatBreaksOffIsAnErrorWithTheServersWords) {
    TinyServer broken(context, socket("broken"), [](int number, const std::string&) {
        if (number == 1) return std::vector<std::string>{stream_head, token, ""};
        if (number == 2) return std::vector<std::string>{stream_head, token, "0\r\n\r\n"};
        return refuse();
    });
    options.endpoints = {socket("broken")};
    options.in_flight_limit = 1;
    auto records = send(3);
    EXPECT_FALSE(records[0].ok());
    EXPECT_EQ(records[1].error, "the stream ended before the answer did");
    EXPECT_EQ(records[2].error, "HTTP status 503: loading");
}

TEST_F(Driver, ASessionWaitsForItsAnswers) {
    int open = 0;
    TinyServer a(context, socket("a"), [&](int, const std::string&) {
        ++open;
        return answer();
    });
    options.endpoints = {socket("a")};
    auto records = send(5, "one");
    EXPECT_EQ(open, 5);
    for (std::size_t i = 1; i < records.size(); ++i) {
        EXPECT_GE(records[i].sent, records[i - 1].due + *records[i - 1].latency);
        EXPECT_EQ(records[i].due, records[i].sent);
    }
}

TEST_F(Driver, RefusesWhatCannotBe) {
    Progress progress("test", 0);
    EXPECT_FALSE(drive(context, options, {}, progress));
    options.endpoints = {"ftp://x"};
    EXPECT_FALSE(drive(context, options, {}, progress));
    options.endpoints = {socket("nobody")};
    auto no_model = drive(context, options, {}, progress);
    ASSERT_FALSE(no_model);
    EXPECT_EQ(no_model.error().code, ErrorCode::unavailable);
    options.model = "m";
    EXPECT_FALSE(drive(context, options, std::vector<WorkItem>(1), progress));
    EXPECT_TRUE(drive(context, options, {}, progress));
}

TEST_F(Driver, TheMonitorAsksUntilItIsGone) {
    TinyServer a(context, socket("a"), [](int, const std::string& request) {
        EXPECT_TRUE(request.starts_with("GET /metrics "));
        return std::vector<std::string>{
            "HTTP/1.1 200 OK\r\nContent-Length: 34\r\n\r\nllamacpp:requests_processing 3.00\n"};
    });
    auto monitor = Monitor::start(context, {socket("a"), socket("nobody")}, 5ms);
    ASSERT_TRUE(monitor);
    ASSERT_TRUE(adapters::testing_support::run_until(context, [&] { return (*monitor)->samples().size() >= 6; }));
    EXPECT_TRUE(
        std::ranges::any_of((*monitor)->samples(), [](const auto& sample) { return sample.metrics.running == 3; }));
    EXPECT_TRUE(std::ranges::any_of((*monitor)->samples(), [](const auto& sample) { return !sample.answered; }));
    EXPECT_EQ(metrics_table((*monitor)->samples()).size(), (*monitor)->samples().size());
    monitor->reset();
    context.restart();
    context.run_for(20ms);
}

}  // namespace
}  // namespace planetserve::eval
