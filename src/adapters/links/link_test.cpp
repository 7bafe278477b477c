// Links over real sockets on the loopback.

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <map>

#include "adapters/links/link_manager.h"
#include "crypto/random.h"

namespace planetserve::adapters {
namespace {

namespace asio = boost::asio;

struct Node final : LinkEvents {
    Node(asio::io_context& context, std::map<NodeId, Endpoint>& book, LinkOptions options = {},
         std::uint8_t network = 1)
        : identity(crypto::Identity::generate(random)),
          links(
              context, identity, make_hello(network), options, *this,
              [&book](const NodeId& id) {
                  auto found = book.find(id);
                  return found == book.end() ? std::vector<Endpoint>{} : std::vector<Endpoint>{found->second};
              },
              random, clock) {
        address = links.listen({"127.0.0.1", 0}).value();
        book[identity.id()] = address;
    }
    static wire::Hello make_hello(std::uint8_t network) {
        wire::Hello hello;
        hello.network.value[0] = network;
        hello.software = "test";
        return hello;
    }
    NodeId id() const { return identity.id(); }

    void on_link_up(const NodeId& peer, const wire::Hello&) override { up.push_back(peer); }
    void on_link_down(const NodeId& peer, const Error& why) override { down.emplace_back(peer, why.message); }
    void on_frame(const NodeId& from, wire::FrameType, MutableByteView payload) override {
        received[from].push_back(to_bytes(payload));
        bytes += payload.size();
    }
    void on_drained(const NodeId&) override { ++drained; }

    crypto::SystemRandom random;
    SystemClock clock;
    crypto::Identity identity;
    LinkManager links;
    Endpoint address;
    std::vector<NodeId> up;
    std::vector<std::pair<NodeId, std::string>> down;
    std::map<NodeId, std::vector<Bytes>> received;
    std::size_t bytes = 0;
    int drained = 0;
};

class Links : public testing::Test {
protected:
    template <typename Condition>
    bool run_until(Condition&& condition, std::chrono::seconds at_most = 10s) {
        auto end = std::chrono::steady_clock::now() + at_most;
        while (!condition() && std::chrono::steady_clock::now() < end) {
            context_.restart();
            context_.run_for(std::chrono::milliseconds(10));
        }
        return condition();
    }
    Bytes call(std::size_t size, std::uint8_t fill = 0) { return Bytes(std::max<std::size_t>(size, 8), fill); }

    asio::io_context context_{1};
    std::map<NodeId, Endpoint> book_;
};

TEST_F(Links, CarryFramesBothWaysInOrder) {
    Node a(context_, book_), b(context_, book_);
    for (int i = 0; i < 500; ++i)
        ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(100 + i, static_cast<std::uint8_t>(i))}));
    ASSERT_TRUE(run_until([&] { return b.received[a.id()].size() == 500; }));
    for (int i = 0; i < 500; ++i) EXPECT_EQ(b.received[a.id()][i], call(100 + i, static_cast<std::uint8_t>(i)));
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(1 << 20)}));
    ASSERT_TRUE(run_until([&] { return a.bytes == 1 << 20; }));
    EXPECT_EQ(a.up.size(), 1u);
    EXPECT_EQ(b.up.size(), 1u) << "the answer came over the same connection";
}

TEST_F(Links, SimultaneousDialsLeaveOneLinkAndLoseNothing) {
    for (int round = 0; round < 20; ++round) {
        Node a(context_, book_), b(context_, book_);
        for (int i = 0; i < 20; ++i) {
            ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(50)}));
            ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_request, {call(50)}));
        }
        ASSERT_TRUE(run_until([&] { return a.received[b.id()].size() == 20 && b.received[a.id()].size() == 20; }))
            << round;
        run_until([&] { return a.links.links() == 1 && b.links.links() == 1; });
        EXPECT_EQ(a.links.links(), 1u);
        EXPECT_EQ(b.links.links(), 1u);
        EXPECT_TRUE(a.down.empty() && b.down.empty());
    }
}

TEST_F(Links, AnImpostorIsRefused) {
    Node a(context_, book_), b(context_, book_), c(context_, book_);
    book_[b.id()] = c.address;
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("was expected"), std::string::npos);
    EXPECT_TRUE(c.received.empty());
}

TEST_F(Links, AnotherNetworkIsRefusedAndBothLearnWhy) {
    Node a(context_, book_), b(context_, book_, {}, 2);
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("network"), std::string::npos) << a.down[0].second;
    EXPECT_TRUE(b.received.empty());
}

TEST_F(Links, UnknownAndDeadNodesAreToldAndBackedOffFrom) {
    Node a(context_, book_);
    NodeId stranger;
    stranger.value[0] = 1;
    EXPECT_EQ(a.links.send(stranger, wire::FrameType::call_request, {call(8)}).error().code, ErrorCode::unavailable);
    book_[stranger] = {"127.0.0.1", 1};
    ASSERT_TRUE(a.links.send(stranger, wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("refused"), std::string::npos) << a.down[0].second;
    EXPECT_FALSE(a.links.send(stranger, wire::FrameType::call_request, {call(8)})) << "backing off";
}

TEST_F(Links, AFullQueueIsRefusedAndDrained) {
    LinkOptions options;
    options.maximum_queue = 4 << 20;
    Node a(context_, book_, options), b(context_, book_);
    std::size_t sent = 0;
    while (a.links.send(b.id(), wire::FrameType::call_request, {call(100'000)})) ++sent;
    EXPECT_LE(sent, 42u);
    ASSERT_TRUE(run_until([&] { return b.received[a.id()].size() == sent; }));
    EXPECT_GE(a.drained, 1);
    EXPECT_EQ(a.links.queued_bytes(b.id()), 0u);
}

TEST_F(Links, APeerThatGoesIsNoticed) {
    Node a(context_, book_);
    auto b = std::make_unique<Node>(context_, book_);
    NodeId gone = b->id();
    ASSERT_TRUE(a.links.send(gone, wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !b->received.empty(); }));
    b.reset();
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_EQ(a.down[0].first, gone);
}

TEST_F(Links, ADeadPeerIsNoticedByItsSilenceAndAnIdleLinkIsClosed) {
    LinkOptions options;
    options.ping_after = 1s;
    options.pong_deadline = 1s;
    Node a(context_, book_, options);
    asio::io_context frozen;  // a node whose loop stops
    Node b(frozen, book_);
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(8)}));
    auto both = [&](auto&& condition) {
        return run_until([&] {
            frozen.restart();
            frozen.run_for(std::chrono::milliseconds(1));
            return condition();
        });
    };
    ASSERT_TRUE(both([&] { return !b.received.empty(); }));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("does not answer"), std::string::npos) << a.down[0].second;

    LinkOptions idle;
    idle.idle_close = 1s;
    Node c(context_, book_, idle), d(context_, book_);
    ASSERT_TRUE(c.links.send(d.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !d.down.empty(); }));
    EXPECT_NE(d.down[0].second.find("idle"), std::string::npos) << d.down[0].second;
}

TEST_F(Links, GarbageOldTlsAndSilenceDoNotGetIn) {
    LinkOptions options;
    options.handshake_deadline = 1s;
    options.maximum_handshakes = 8;
    Node a(context_, book_, options);
    std::vector<asio::ip::tcp::socket> sockets;
    for (int i = 0; i < 30; ++i) {
        sockets.emplace_back(context_);
        sockets.back().connect({asio::ip::make_address("127.0.0.1"), a.address.port});
        if (i % 2 == 0) asio::write(sockets.back(), asio::buffer(std::string(300, static_cast<char>(i))));
    }
    ASSERT_TRUE(run_until([&] { return a.links.links() > 0; }));
    EXPECT_LE(a.links.links(), 8u);
    ASSERT_TRUE(run_until([&] { return a.links.links() == 0; }));
    EXPECT_TRUE(a.up.empty());

    SslContext old(SSL_CTX_new(TLS_client_method()));
    SSL_CTX_set_max_proto_version(old.get(), TLS1_2_VERSION);
    asio::ip::tcp::socket socket(context_);
    socket.connect({asio::ip::make_address("127.0.0.1"), a.address.port});
    socket.non_blocking(true);
    SSL* ssl = SSL_new(old.get());
    SSL_set_fd(ssl, socket.native_handle());
    SSL_set_connect_state(ssl);
    int outcome = SSL_ERROR_WANT_READ;
    run_until(
        [&] {
            int done = SSL_do_handshake(ssl);
            outcome = SSL_get_error(ssl, done);
            return done == 1 || (outcome != SSL_ERROR_WANT_READ && outcome != SSL_ERROR_WANT_WRITE);
        },
        3s);
    EXPECT_TRUE(outcome == SSL_ERROR_SSL || outcome == SSL_ERROR_SYSCALL) << outcome;
    SSL_free(ssl);
    ERR_clear_error();

    Node b(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_request, {call(8)}));
    EXPECT_TRUE(run_until([&] { return !a.received.empty(); })) << "honest peers still do";
}

}  // namespace
}  // namespace planetserve::adapters
