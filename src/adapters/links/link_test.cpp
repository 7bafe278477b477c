// Links over real sockets on the loopback.

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/resource.h>

#include <boost/asio/connect.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <map>

#include "adapters/links/descriptors.h"
#include "adapters/links/link_manager.h"
#include "crypto/system_random.h"

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

// A peer that speaks TLS and frames by hand, so that it can break the rules. Nothing blocks.
struct RawPeer {
    RawPeer(asio::ip::tcp::socket own_socket, const crypto::Identity& identity, LinkSide side)
        : context(make_link_context(identity)), socket(std::move(own_socket)), ssl(SSL_new(context.get())) {
        socket.non_blocking(true);
        SSL_set_fd(ssl, socket.native_handle());
        if (side == LinkSide::dialed)
            SSL_set_connect_state(ssl);
        else
            SSL_set_accept_state(ssl);
    }
    RawPeer(const RawPeer&) = delete;
    RawPeer& operator=(const RawPeer&) = delete;
    ~RawPeer() {
        SSL_free(ssl);
        ERR_clear_error();
    }

    // True when the handshake is over, well or not.
    bool shake() {
        ERR_clear_error();
        int done = SSL_do_handshake(ssl);
        int error = SSL_get_error(ssl, done);
        failed = done != 1 && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE;
        return done == 1 || failed;
    }
    // What the socket took of the bytes.
    bool write(ByteView bytes) {
        std::size_t size = 0;
        ERR_clear_error();
        return SSL_write_ex(ssl, bytes.data(), bytes.size(), &size) == 1;
    }
    bool write(wire::FrameType type, ByteView payload) {
        Bytes frame;
        wire::append_frame_header(frame, type, payload.size());
        append(frame, payload);
        return write(frame);
    }
    bool write_hello(const wire::Hello& hello = Node::make_hello(1)) {
        return write(wire::FrameType::hello, wire::encode(hello));
    }
    // Everything there was to read until now; closed once the other end closed.
    const std::string& read() {
        std::array<char, 4096> piece;
        std::size_t size = 0;
        ERR_clear_error();
        int done = 0;
        while ((done = SSL_read_ex(ssl, piece.data(), piece.size(), &size)) == 1) heard.append(piece.data(), size);
        if (SSL_get_error(ssl, done) != SSL_ERROR_WANT_READ) closed = true;
        return heard;
    }

    // Of the first frame that was read; empty when it is no goodbye.
    std::optional<wire::GoodbyeReason> goodbye() const {
        constexpr auto type = static_cast<char>(wire::FrameType::goodbye);
        if (heard.size() <= wire::frame_header_size || heard[0] != type) return std::nullopt;
        return wire::parse_goodbye(as_bytes(heard).subspan(wire::frame_header_size)).reason;
    }

    SslContext context;
    asio::ip::tcp::socket socket;
    SSL* ssl;
    std::string heard;
    bool failed = false;
    bool closed = false;
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
    // A socket that node dialled, or that dials it, for a peer that does as it likes.
    asio::ip::tcp::socket dial_raw(const Node& node, int receive_buffer = 65536) {
        asio::ip::tcp::socket socket(context_);
        socket.open(asio::ip::tcp::v4());
        socket.set_option(asio::socket_base::receive_buffer_size(receive_buffer));
        socket.connect({asio::ip::make_address("127.0.0.1"), node.address.port});
        return socket;
    }
    bool accept_raw(asio::ip::tcp::acceptor& acceptor, asio::ip::tcp::socket& socket) {
        boost::system::error_code error;
        if (!socket.is_open()) acceptor.accept(socket, error);
        return socket.is_open() && !error;
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
    for (int round = 0; round < 200; ++round) {
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

TEST_F(Links, AnOlderVersionIsRefusedAndBothVersionsAreNamed) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    RawPeer old(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return old.shake(); }));
    wire::Hello hello = Node::make_hello(1);
    hello.version = hello.oldest_compatible = 1;
    ASSERT_TRUE(old.write_hello(hello));
    ASSERT_TRUE(run_until([&] {
        old.read();
        return old.closed;
    }));
    EXPECT_EQ(old.goodbye(), wire::GoodbyeReason::incompatible_version);
    EXPECT_NE(old.heard.find("speaks link version 1 (test), this one 2"), std::string::npos) << old.heard;
    EXPECT_TRUE(a.up.empty());
}

TEST_F(Links, AGoodbyesReasonCountsAndNotItsWords) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[identity.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    acceptor.non_blocking(true);
    auto dialled_by_a = [&] {
        EXPECT_TRUE(a.links.send(identity.id(), wire::FrameType::call_request, {call(8)}));
        asio::ip::tcp::socket accepted(context_);
        EXPECT_TRUE(run_until([&] { return accept_raw(acceptor, accepted); }));
        auto peer = std::make_unique<RawPeer>(std::move(accepted), identity, LinkSide::accepted);
        EXPECT_TRUE(run_until([&] { return peer->shake(); }));
        return peer;
    };
    auto first = dialled_by_a();
    ASSERT_TRUE(
        first->write(wire::FrameType::goodbye, Bytes{static_cast<std::uint8_t>(wire::GoodbyeReason::duplicate)}));
    ASSERT_TRUE(run_until([&] { return a.links.links() == 0; }));
    EXPECT_TRUE(a.down.empty()) << "it waits for the peer's own connection";
    RawPeer own(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return own.shake(); }));
    ASSERT_TRUE(own.write_hello());
    ASSERT_TRUE(run_until([&] { return !a.up.empty(); }));

    // A reason that only a later version knows, with a detail.
    ASSERT_TRUE(own.write(wire::FrameType::goodbye, as_bytes("\x1e"
                                                             "a link in the other direction is preferred")));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_EQ(a.down[0].second, "the peer said goodbye: a link in the other direction is preferred");
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

TEST_F(Links, APeerThatPingsAndNeverReadsCostsNoMemory) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    RawPeer peer(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return peer.shake(); }));
    ASSERT_TRUE(peer.write_hello());
    ASSERT_TRUE(run_until([&] { return !a.up.empty(); }));
    Bytes pings;
    for (int i = 0; i < 1000; ++i) {
        wire::append_frame_header(pings, wire::FrameType::ping, 8);
        append(pings, Bytes(8));
    }
    // More than the sockets' buffers can hold of answers.
    std::size_t sent = 0, most = 0;
    run_until([&] {
        while (sent < 2000 && peer.write(pings)) ++sent;
        most = std::max(most, a.links.queued_bytes(identity.id()));
        return sent == 2000 || !a.down.empty();
    });
    EXPECT_TRUE(sent == 2000 || !a.down.empty());
    EXPECT_LT(most, 256u << 10);
    if (a.down.empty()) {
        // The pongs that did go out say that it is still answered.
        ASSERT_TRUE(run_until([&] { return peer.read().size() > 12; }));
    }
}

TEST_F(Links, APeerThatAsksForNewKeysAndNeverReadsIsLost) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    RawPeer peer(dial_raw(a, 4096), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return peer.shake(); }));
    ASSERT_TRUE(peer.write_hello());
    ASSERT_TRUE(run_until([&] { return !a.up.empty(); }));
    std::size_t most = 0;
    for (int i = 0; i < 600'000 && most < (1 << 20) && a.down.empty(); ++i) {
        ERR_clear_error();
        SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(peer.ssl);
        if (i % 256 != 0) continue;
        context_.restart();
        context_.poll();
        most = std::max(most, a.links.queued_bytes(identity.id()));
    }
    EXPECT_LT(most, 1u << 20);
    EXPECT_FALSE(a.down.empty());
}

TEST_F(Links, WithoutDescriptorsAcceptingPausesAndGoesOn) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    // UBSan opens a pipe for each type that it meets for the first time, and takes a pipe it cannot have for a wrong
    // type.
    RawPeer first(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return first.shake(); }));
    RawPeer peer(dial_raw(a), identity, LinkSide::dialed);  // in the listener's backlog
    rlimit before{};
    ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    rlimit none = before;
    none.rlim_cur = 3;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    std::size_t handlers = 0;
    for (int i = 0; i < 30; ++i) {
        context_.restart();
        handlers += context_.run_for(std::chrono::milliseconds(10));
    }
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT_LT(handlers, 100u) << "it tries again and again";
    ASSERT_TRUE(run_until([&] { return peer.shake(); }));
    EXPECT_FALSE(peer.failed);
}

TEST(Descriptors, LimitTheLinks) {
    EXPECT_EQ(links_within(2048 + 128 + other_descriptors, 128), 2048u);
    EXPECT_EQ(links_within(1024, 128), 640u);
    EXPECT_EQ(links_within(64, 128), 24u);
    EXPECT_EQ(links_within(0, 128), 1u);
    EXPECT_GE(raise_descriptor_limit(8), 8u) << "never lowered";
}

TEST_F(Links, OneAddressCannotTakeAllHandshakes) {
    LinkOptions options;
    options.maximum_handshakes = 8;
    options.maximum_handshakes_per_address = 3;
    Node a(context_, book_, options);
    std::vector<asio::ip::tcp::socket> silent;
    for (int i = 0; i < 12; ++i) silent.push_back(dial_raw(a));
    asio::ip::tcp::socket other(context_);
    other.open(asio::ip::tcp::v4());
    other.bind({asio::ip::make_address("127.0.0.2"), 0});
    other.connect({asio::ip::make_address("127.0.0.1"), a.address.port});
    crypto::Identity identity = crypto::Identity::generate(a.random);
    RawPeer honest(std::move(other), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return honest.shake(); }));
    EXPECT_FALSE(honest.failed);
    EXPECT_EQ(a.links.links(), 4u);
}

TEST_F(Links, WhenFullTheLongestIdleLinkMakesRoom) {
    LinkOptions options;
    options.maximum_links = 2;
    options.evict_after = 1s;
    Node a(context_, book_, options), b(context_, book_), c(context_, book_), d(context_, book_), e(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return a.received.contains(b.id()); }));
    ASSERT_TRUE(a.links.send(c.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return c.received.contains(a.id()); }));
    ASSERT_TRUE(d.links.send(a.id(), wire::FrameType::call_request, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !d.down.empty(); }));
    EXPECT_NE(d.down[0].second.find("as many links"), std::string::npos) << "none is idle: " << d.down[0].second;

    // b's link is idle, c's is used.
    ASSERT_TRUE(run_until([&] {
        (void)a.links.send(c.id(), wire::FrameType::call_request, {call(8)});
        return a.links.send(e.id(), wire::FrameType::call_request, {call(8)}).has_value();
    }));
    ASSERT_TRUE(run_until([&] { return e.received.contains(a.id()); }));
    ASSERT_EQ(a.down.size(), 1u);
    EXPECT_EQ(a.down[0].first, b.id());
    EXPECT_EQ(a.links.links(), 2u);
    ASSERT_TRUE(run_until([&] { return !b.down.empty(); }));

    ASSERT_TRUE(run_until([&] {
        (void)a.links.send(c.id(), wire::FrameType::call_request, {call(8)});
        (void)d.links.send(a.id(), wire::FrameType::call_request, {call(8)});
        return a.received.contains(d.id());
    })) << "an accepted one gets the room of an idle one too";
    EXPECT_EQ(a.down.back().first, e.id());
    EXPECT_EQ(a.links.links(), 2u);
}

TEST_F(Links, TheDiallersIdIsShownToNobodyButTheNodeWanted) {
    Node a(context_, book_), b(context_, book_);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[b.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_request, {call(8)}));
    acceptor.non_blocking(true);
    asio::ip::tcp::socket accepted(context_);
    ASSERT_TRUE(run_until([&] { return accept_raw(acceptor, accepted); }));
    crypto::Identity identity = crypto::Identity::generate(a.random);
    RawPeer impostor(std::move(accepted), identity, LinkSide::accepted);
    ASSERT_TRUE(run_until([&] { return impostor.shake(); }));
    EXPECT_TRUE(impostor.failed);
    EXPECT_FALSE(peer_id(impostor.ssl).has_value());
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find(identity.id().brief()), std::string::npos) << a.down[0].second;
}

TEST_F(Links, AnAbandonedDialOfThePeerDoesNotReplaceTheLinkThatIsKept) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    while (identity.id() < a.id()) identity = crypto::Identity::generate(a.random);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[identity.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_request, {call(8)}));
    acceptor.non_blocking(true);
    asio::ip::tcp::socket accepted(context_);
    ASSERT_TRUE(run_until([&] { return accept_raw(acceptor, accepted); }));
    RawPeer kept(std::move(accepted), identity, LinkSide::accepted);
    RawPeer abandoned(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return kept.shake(); }));
    ASSERT_TRUE(run_until([&] { return abandoned.shake(); }));
    ASSERT_TRUE(kept.write_hello());
    ASSERT_TRUE(run_until([&] { return !a.up.empty(); }));
    // Its hello was under way when the peer settled on the other connection.
    ASSERT_TRUE(abandoned.write_hello());
    ASSERT_TRUE(run_until([&] {
        abandoned.read();
        return abandoned.closed;
    }));
    EXPECT_EQ(abandoned.goodbye(), wire::GoodbyeReason::duplicate);
    EXPECT_TRUE(a.down.empty());
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_request, {Bytes(20, 'x')}));
    EXPECT_TRUE(run_until([&] { return kept.read().find(std::string(20, 'x')) != std::string::npos; }));

    // One that was dialled later does: the peer lost its end.
    RawPeer anew(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return anew.shake(); }));
    ASSERT_TRUE(anew.write_hello());
    ASSERT_TRUE(run_until([&] { return a.up.size() == 2; }));
    EXPECT_EQ(a.down.size(), 1u);
}

TEST_F(Links, TheEndThatAcceptsDecidesBeforeItSaysHello) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    while (identity.id() < a.id()) identity = crypto::Identity::generate(a.random);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[identity.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_request, {call(8)}));
    RawPeer refused(dial_raw(a), identity, LinkSide::dialed);
    ASSERT_TRUE(run_until([&] { return refused.shake(); }));
    ASSERT_TRUE(refused.write_hello());
    ASSERT_TRUE(run_until([&] {
        refused.read();
        return refused.closed;
    }));
    EXPECT_EQ(refused.goodbye(), wire::GoodbyeReason::duplicate)
        << "and no hello before it, which would promise a link";
}

}  // namespace
}  // namespace planetserve::adapters
