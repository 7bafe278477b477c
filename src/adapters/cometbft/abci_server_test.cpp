#include "adapters/cometbft/abci_server.h"

#include <gtest/gtest.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <future>
#include <thread>

#include "consensus/abci.pb.h"
#include "consensus/abci_frames.h"

namespace planetserve::adapters {
namespace {

namespace asio = boost::asio;

class AbciServerTest : public testing::Test {
protected:
    using Socket = asio::local::stream_protocol::socket;

    void SetUp() override {
        std::string pattern = (std::filesystem::temp_directory_path() / "planetserve-abci-XXXXXX").string();
        ASSERT_NE(mkdtemp(pattern.data()), nullptr);
        folder_ = pattern;
        server_ = std::make_unique<AbciServer>(
            context_,
            [this](const abci::Request& request) -> Result<abci::Response> {
                if (request.echo().message() == "fail") return fail(ErrorCode::io, "as asked");
                ++calls_;
                abci::Response response;
                if (request.has_flush())
                    response.mutable_flush();
                else
                    response.mutable_echo()->set_message(request.echo().message());
                return response;
            },
            [this](const Error& error) {
                failure_ = error.message;
                told_.set_value();
            });
        ASSERT_TRUE(server_->listen(folder_ / "abci.sock"));
        thread_ = std::thread([this] { context_.run(); });
    }
    void TearDown() override {
        asio::post(context_, [this] { server_.reset(); });
        work_.reset();
        thread_.join();
        EXPECT_FALSE(std::filesystem::exists(folder_ / "abci.sock"));
        std::filesystem::remove_all(folder_);
    }
    Socket connect() {
        Socket socket(client_);
        socket.connect((folder_ / "abci.sock").string());
        return socket;
    }
    static Bytes echo(const std::string& text) {
        abci::Request request;
        request.mutable_echo()->set_message(text);
        Bytes frame;
        consensus::append_abci_frame(frame, as_bytes(request.SerializeAsString()));
        return frame;
    }
    static std::optional<abci::Response> read(Socket& socket, consensus::AbciFrames& frames) {
        while (true) {
            auto next = frames.next();
            if (next && *next) {
                abci::Response response;
                EXPECT_TRUE(response.ParseFromArray((*next)->data(), static_cast<int>((*next)->size())));
                return response;
            }
            std::array<std::uint8_t, 4096> chunk{};
            boost::system::error_code error;
            std::size_t got = socket.read_some(asio::buffer(chunk), error);
            if (error) return std::nullopt;
            frames.append(ByteView(chunk).first(got));
        }
    }

    std::filesystem::path folder_;
    asio::io_context context_, client_;
    asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
    std::unique_ptr<AbciServer> server_;
    std::string failure_;
    std::promise<void> told_;  // the failure, once
    int calls_ = 0;
    std::thread thread_;
};

TEST_F(AbciServerTest, AnswersInOrderOnFourConnections) {
    std::vector<Socket> sockets;
    for (int i = 0; i < 4; ++i) sockets.push_back(connect());
    for (int i = 0; i < 4; ++i) {
        Bytes all;
        for (int k = 0; k < 300; ++k) append(all, echo(std::to_string(i * 1000 + k) + std::string(500, '.')));
        append(all, Bytes{0x02, 0x12, 0x00});  // a flush, as CometBFT writes it
        asio::write(sockets[static_cast<std::size_t>(i)], asio::buffer(all));
    }
    for (int i = 0; i < 4; ++i) {
        consensus::AbciFrames frames(1 << 20);
        for (int k = 0; k < 300; ++k) {
            auto response = read(sockets[static_cast<std::size_t>(i)], frames);
            ASSERT_TRUE(response);
            EXPECT_EQ(response->echo().message(), std::to_string(i * 1000 + k) + std::string(500, '.'));
        }
        auto last = read(sockets[static_cast<std::size_t>(i)], frames);
        ASSERT_TRUE(last);
        EXPECT_TRUE(last->has_flush());
    }
}

TEST_F(AbciServerTest, AFailureIsAnExceptionAndTold) {
    Socket socket = connect();
    asio::write(socket, asio::buffer(echo("fail")));
    consensus::AbciFrames frames(1 << 20);
    auto response = read(socket, frames);
    ASSERT_TRUE(response);
    EXPECT_EQ(response->exception().error(), "as asked");
    asio::write(socket, asio::buffer(echo("more")));
    told_.get_future().wait();
    asio::post(context_, [this] { server_.reset(); });
    EXPECT_FALSE(read(socket, frames)) << "nothing more is answered";
    work_.reset();
    thread_.join();
    EXPECT_EQ(failure_, "as asked");
    EXPECT_EQ(calls_, 0);
    thread_ = std::thread([] {});
}

TEST_F(AbciServerTest, ALengthBeyondTheLimitIsRefusedInWords) {
    Socket hostile = connect();
    asio::write(hostile, asio::buffer(Bytes{0xFF, 0xFF, 0xFF, 0xFF, 0x0F}));
    consensus::AbciFrames frames(1 << 20);
    auto response = read(hostile, frames);
    ASSERT_TRUE(response);
    EXPECT_NE(response->exception().error().find("at most"), std::string::npos);
}

TEST_F(AbciServerTest, MoreConnectionsThanTheEngineHasAreClosed) {
    std::vector<Socket> sockets;
    for (int i = 0; i < 9; ++i) sockets.push_back(connect());
    boost::system::error_code error;
    std::array<std::uint8_t, 1> byte{};
    asio::read(sockets.back(), asio::buffer(byte), error);
    EXPECT_TRUE(error);
    asio::write(sockets.front(), asio::buffer(echo("one")));
    consensus::AbciFrames frames(1 << 20);
    EXPECT_TRUE(read(sockets.front(), frames));
}

}  // namespace
}  // namespace planetserve::adapters
