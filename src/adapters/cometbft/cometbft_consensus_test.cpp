// With a shell script as CometBFT, and its RPC answered by the test.
#include "adapters/cometbft/cometbft_consensus.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <fstream>
#include <map>

#include "committee/committee_fixture.h"

namespace planetserve::adapters {
namespace {

namespace asio = boost::asio;
namespace fs = std::filesystem;
namespace http = boost::beast::http;
namespace json = boost::json;

// Answers the methods that a test sets, on the socket of CometBFT's RPC.
class FakeRpc {
public:
    FakeRpc(asio::io_context& context, const fs::path& socket)
        : acceptor_(context, asio::local::stream_protocol::endpoint(socket.string())) {
        accept();
    }
    ~FakeRpc() {
        boost::system::error_code ignored;
        for (const auto& weak : sessions_)
            if (auto session = weak.lock()) session->socket.close(ignored);
    }

    std::map<std::string, json::value> results;

private:
    struct Session {
        explicit Session(asio::local::stream_protocol::socket from) : socket(std::move(from)) {}
        asio::local::stream_protocol::socket socket;
        boost::beast::flat_buffer buffer = {};
        http::request<http::string_body> request = {};
        http::response<http::string_body> response = {};
    };

    void accept() {
        acceptor_.async_accept([this](boost::system::error_code error, asio::local::stream_protocol::socket socket) {
            if (error) return;
            auto session = std::make_shared<Session>(std::move(socket));
            sessions_.push_back(session);
            read(session);
            accept();
        });
    }
    void read(const std::shared_ptr<Session>& session) {
        session->request = {};
        http::async_read(session->socket, session->buffer, session->request,
                         [this, session](boost::system::error_code error, std::size_t) {
                             if (!error) answer(session);
                         });
    }
    void answer(const std::shared_ptr<Session>& session) {
        auto method = std::string(json::parse(session->request.body()).at("method").as_string());
        auto found = results.find(method);
        session->response = {};
        session->response.body() =
            json::serialize(found == results.end() ? json::object{{"error", json::object{{"message", "no " + method}}}}
                                                   : json::object{{"result", found->second}});
        session->response.prepare_payload();
        http::async_write(session->socket, session->response,
                          [this, session](boost::system::error_code error, std::size_t) {
                              if (!error) read(session);
                          });
    }

    asio::local::stream_protocol::acceptor acceptor_;
    std::vector<std::weak_ptr<Session>> sessions_;
};

json::value status_of(bool catching_up) {
    return json::object{{"sync_info", json::object{{"catching_up", catching_up}}}};
}

class CometbftConsensusTest : public testing::Test {
protected:
    CometbftConsensusTest() {
        std::string pattern = (fs::temp_directory_path() / "planetserve-consensus-XXXXXX").string();
        if (!::mkdtemp(pattern.data())) throw std::runtime_error("mkdtemp");
        folder_ = pattern;
        genesis_.validators.push_back({"v", identity_.id(), 1, {"127.0.0.1", 7000}, Endpoint{"127.0.0.1", 26'000}});
        options_ = {.program = folder_ / "cometbft",
                    .home = folder_ / "home",
                    .log = folder_ / "log",
                    .listen = {"127.0.0.1", 26'000},
                    .stop_grace = 100ms,
                    .shortest_backoff = 20ms};
        script("while :; do sleep 0.05; done");
    }
    ~CometbftConsensusTest() override { fs::remove_all(folder_); }

    void script(const std::string& text) {
        std::ofstream(options_.program) << "#!/bin/sh\n" << text << "\n";
        fs::permissions(options_.program, fs::perms::owner_all);
    }
    std::unique_ptr<CometbftConsensus> make() {
        return std::make_unique<CometbftConsensus>(
            context_, genesis_, identity_, store_, clock_, options_,
            [this](ConsensusState state, const std::string& reason) { heard_.emplace_back(state, reason); });
    }
    template <typename Condition>
    bool run_until(Condition condition) {
        for (int i = 0; i < 1000 && !condition(); ++i) {
            context_.restart();
            context_.run_one_for(std::chrono::milliseconds(20));
        }
        return condition();
    }
    bool run_until(const CometbftConsensus& consensus, ConsensusState state) {
        return run_until([&] { return consensus.status().state == state; });
    }

    SeededRandom random_{11};
    fs::path folder_;
    crypto::Identity identity_ = crypto::Identity::generate(random_);
    committee::Genesis genesis_{"test", UnixTime{1'700'000'000'000}, {}, {}};
    committee::MemoryStore store_;
    SystemClock clock_;
    CometbftOptions options_;
    asio::io_context context_;
    std::vector<std::pair<ConsensusState, std::string>> heard_;
};

TEST_F(CometbftConsensusTest, FollowsWhatItsRpcSays) {
    auto consensus = make();
    ASSERT_TRUE(consensus->run());
    EXPECT_EQ(consensus->status().state, ConsensusState::starting);
    EXPECT_GT(consensus->status().pid, 0);
    Status submitted;
    consensus->submit({}, UnixTime{}, [&](Status status) { submitted = status; });
    ASSERT_FALSE(submitted);
    EXPECT_EQ(submitted.error().code, ErrorCode::unavailable);
    EXPECT_NE(submitted.error().message.find("its consensus engine is starting"), std::string::npos)
        << submitted.error().message;

    FakeRpc rpc(context_, options_.home / "rpc.sock");
    rpc.results["status"] = status_of(true);
    rpc.results["net_info"] = json::object{{"n_peers", "3"}};
    ASSERT_TRUE(run_until(*consensus, ConsensusState::catching_up));
    rpc.results["status"] = status_of(false);
    ASSERT_TRUE(run_until(*consensus, ConsensusState::running));
    EXPECT_TRUE(consensus->status().reason.empty());
    ASSERT_TRUE(run_until([&] { return consensus->status().peers == 3; }));

    rpc.results["broadcast_tx_sync"] = json::object{{"code", 0}};
    std::optional<Status> answer;
    consensus->submit(as_bytes("transaction"), UnixTime{}, [&](Status status) { answer = status; });
    ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
    EXPECT_TRUE(*answer);
    rpc.results["broadcast_tx_sync"] =
        json::object{{"code", 1 + static_cast<int>(ErrorCode::exhausted)}, {"log", "full"}};
    answer.reset();
    consensus->submit(as_bytes("transaction"), UnixTime{}, [&](Status status) { answer = status; });
    ASSERT_TRUE(run_until([&] { return answer.has_value(); }));
    ASSERT_FALSE(*answer);
    EXPECT_EQ(answer->error().code, ErrorCode::exhausted);
    EXPECT_EQ(answer->error().message, "full");

    consensus->stop();
    EXPECT_EQ(consensus->status().reason, "stopping");
    ASSERT_TRUE(run_until(*consensus, ConsensusState::stopped));
    EXPECT_EQ(consensus->status().pid, 0);
    EXPECT_EQ(consensus->status().starts, 1U);
}

TEST_F(CometbftConsensusTest, IsStartedAgainWhenItIsKilled) {
    auto consensus = make();
    ASSERT_TRUE(consensus->run());
    pid_t first = consensus->status().pid;
    {
        FakeRpc rpc(context_, options_.home / "rpc.sock");
        rpc.results["status"] = status_of(false);
        ASSERT_TRUE(run_until(*consensus, ConsensusState::running));
        ::kill(first, SIGKILL);
        ASSERT_TRUE(run_until(*consensus, ConsensusState::failing));
    }
    EXPECT_EQ(consensus->status().reason, "CometBFT was killed by signal 9; it will be started again");
    ASSERT_TRUE(run_until(*consensus, ConsensusState::starting));
    EXPECT_EQ(consensus->status().reason, "again; it was killed by signal 9");
    EXPECT_NE(consensus->status().pid, first);
    FakeRpc again(context_, options_.home / "rpc.sock");
    again.results["status"] = status_of(false);
    ASSERT_TRUE(run_until(*consensus, ConsensusState::running));
    EXPECT_EQ(consensus->status().starts, 2U);
}

TEST_F(CometbftConsensusTest, TellsHowItEnded) {
    script("exit 3");
    auto consensus = make();
    ASSERT_TRUE(consensus->run());
    ASSERT_TRUE(run_until([&] { return consensus->status().starts == 3; }));
    ASSERT_TRUE(run_until([&] { return heard_.size() >= 2; }));
    EXPECT_EQ(heard_[0], (std::pair(ConsensusState::starting, std::string())));
    EXPECT_EQ(heard_[1].first, ConsensusState::failing);
    EXPECT_EQ(heard_[1].second, "CometBFT exited with status 3; it will be started again");
    consensus->stop();
    EXPECT_TRUE(run_until(*consensus, ConsensusState::stopped));
}

TEST_F(CometbftConsensusTest, AFaultOfTheSetUpIsToldAtOnce) {
    genesis_.validators[0].consensus_address.reset();
    auto consensus = make();
    auto run = consensus->run();
    ASSERT_FALSE(run);
    EXPECT_EQ(run.error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(consensus->status().state, ConsensusState::stopped);
    EXPECT_EQ(consensus->registry(), nullptr);
}

TEST_F(CometbftConsensusTest, ItsProcessEndsWithIt) {
    auto consensus = make();
    ASSERT_TRUE(consensus->run());
    pid_t pid = consensus->status().pid;
    consensus.reset();
    EXPECT_NE(::kill(pid, 0), 0);
    EXPECT_FALSE(fs::exists(options_.home / "abci.sock"));
}

}  // namespace
}  // namespace planetserve::adapters
