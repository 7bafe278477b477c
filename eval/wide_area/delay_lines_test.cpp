#include "eval/wide_area/delay_lines.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "base/bytes.h"
#include "eval/wide_area/connection_owner.h"

namespace planetserve::eval {
namespace {

using boost::asio::ip::tcp;

constexpr std::size_t here = 0, there = 1;

// Sends back what comes over the one connection that it takes, until that ends.
class Echo {
public:
    Echo() : acceptor_(context_, {boost::asio::ip::address_v4::loopback(), 0}) {
        thread_ = std::thread([this] {
            tcp::socket socket = acceptor_.accept();
            Bytes buffer(1 << 16);
            boost::system::error_code error;
            while (std::size_t size = socket.read_some(boost::asio::buffer(buffer), error)) {
                boost::asio::write(socket, boost::asio::buffer(buffer, size), error);
                if (error) return;
            }
        });
    }
    ~Echo() { thread_.join(); }
    Endpoint endpoint() const { return {"127.0.0.1", acceptor_.local_endpoint().port()}; }

private:
    boost::asio::io_context context_;
    tcp::acceptor acceptor_;
    std::thread thread_;
};

struct DelayLinesTest : testing::Test {
    DelayLinesTest() : lines([this](std::size_t, std::size_t) { return round_trip; }), dialled(context) {}

    void dial() {
        dialled_at = clock.now();
        auto address = lines.open(there, echo.endpoint());
        ASSERT_TRUE(address);
        dialled.connect({boost::asio::ip::address_v4::loopback(), address->port});
    }

    // Milliseconds until so many bytes, sent in pieces of this size, came back.
    double there_and_back(std::size_t pieces, std::size_t size) {
        Time begun = clock.now();
        Bytes sent(size), got(pieces * size);
        std::thread sender([&] {
            for (std::size_t i = 0; i < pieces; ++i) {
                sent[0] = static_cast<std::uint8_t>(i);
                boost::asio::write(dialled, boost::asio::buffer(sent));
            }
        });
        boost::asio::read(dialled, boost::asio::buffer(got));
        sender.join();
        for (std::size_t i = 0; i < pieces; ++i) EXPECT_EQ(got[i * size], static_cast<std::uint8_t>(i)) << "in order";
        return to_seconds(clock.now() - begun) * 1000;
    }

    double since_dialled() const { return to_seconds(clock.now() - dialled_at) * 1000; }

    SystemClock clock;
    Time dialled_at;
    const Duration round_trip = 60ms;
    Echo echo;
    DelayLines lines;
    boost::asio::io_context context;
    tcp::socket dialled;  // closed first, by which the echo ends
};

TEST_F(DelayLinesTest, TakeTheRoundTripThatWasAsked) {
    lines.process_of(here, getpid());
    dial();
    there_and_back(1, 10);
    EXPECT_GE(since_dialled(), 120) << "TCP's handshake, then the bytes";
    for (int i = 0; i < 20; ++i) EXPECT_GE(there_and_back(1, 10), 60);
    EXPECT_GE(lines.lateness().size(), 42U);
}

TEST_F(DelayLinesTest, PassOnManyBytesAtOnce) {
    lines.process_of(here, getpid());
    dial();
    there_and_back(1, 10);
    double took = there_and_back(200, 5000);
    EXPECT_GE(took, 60);
    EXPECT_LT(took, 200 * 30) << "each piece would wait for the one before";
}

TEST_F(DelayLinesTest, KnowWhoIsConnected) {
    lines.process_of(here, getpid());
    EXPECT_FALSE(lines.connected_since(here, there));
    Time before = clock.now();
    dial();
    there_and_back(1, 10);
    auto since = lines.connected_since(there, here);
    ASSERT_TRUE(since);
    EXPECT_GE(*since, before);
    EXPECT_LE(*since, clock.now());
    EXPECT_FALSE(lines.connected_since(there, 2));
    boost::system::error_code ignored;
    dialled.shutdown(tcp::socket::shutdown_send, ignored);
    std::array<char, 1> none{};
    EXPECT_EQ(dialled.read_some(boost::asio::buffer(none), ignored), 0U) << "the end comes back as well";
    for (int i = 0; i < 10'000 && lines.connected_since(here, there); ++i) std::this_thread::sleep_for(1ms);
    EXPECT_FALSE(lines.connected_since(here, there));
}

TEST_F(DelayLinesTest, WaitForTheDiallersProcessToBeKnown) {
    dial();
    std::thread later([&] {
        std::this_thread::sleep_for(50ms);
        lines.process_of(here, getpid());
    });
    there_and_back(1, 10);
    EXPECT_GE(since_dialled(), 120);
    later.join();
}

TEST_F(DelayLinesTest, CloseWhatAStrangerDialled) {
    lines.process_of(here, 1);  // not this one
    dial();
    std::array<char, 1> none{};
    boost::system::error_code error;
    EXPECT_EQ(dialled.read_some(boost::asio::buffer(none), error), 0U);
    EXPECT_TRUE(error);
    tcp::socket(context).connect({boost::asio::ip::address_v4::loopback(), echo.endpoint().port});  // so that it ends
}

TEST(ConnectionOwner, IsTheProcessThatHasTheSocket) {
    boost::asio::io_context context;
    tcp::acceptor acceptor(context, {boost::asio::ip::address_v4::loopback(), 0});
    tcp::socket dialled(context);
    dialled.connect(acceptor.local_endpoint());
    std::uint16_t own = dialled.local_endpoint().port(), other = dialled.remote_endpoint().port();
    EXPECT_EQ(connection_owner(own, other, {getppid(), getpid()}), getpid());
    EXPECT_EQ(connection_owner(own, other, {}), std::nullopt);
    EXPECT_EQ(connection_owner(own, static_cast<std::uint16_t>(other + 1), {getpid()}), std::nullopt);
}

}  // namespace
}  // namespace planetserve::eval
