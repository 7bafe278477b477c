// Peers that break the rules, and limits that hold them off.

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <sys/resource.h>

#include <boost/asio/write.hpp>

#include "adapters/links/descriptors.h"
#include "adapters/links/links_fixture.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;

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
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(8)}));
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

TEST_F(Links, TheDiallersIdIsShownToNobodyButTheNodeWanted) {
    Node a(context_, book_), b(context_, book_);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[b.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_response, {call(8)}));
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

// Before: each link could hold the largest frame of any type, to its last byte and for ever.
TEST_F(Links, FramesThatNeverEndAreBoundedTogetherAndByTime) {
    LinkOptions options;
    options.maximum_incomplete = 3 << 20;
    options.frame_deadline = 3s;
    Node a(context_, book_, options);
    std::vector<crypto::Identity> identities;
    for (int i = 0; i < 6; ++i) identities.push_back(crypto::Identity::generate(a.random));
    std::vector<std::unique_ptr<RawPeer>> peers;
    Bytes most_of_a_frame;
    wire::append_frame_header(most_of_a_frame, wire::FrameType::call_response, 1 << 20);
    most_of_a_frame.resize(1'000'000);
    for (int i = 0; i < 6; ++i) {
        peers.push_back(
            std::make_unique<RawPeer>(dial_raw(a), identities[static_cast<std::size_t>(i)], LinkSide::dialed));
        RawPeer& peer = *peers.back();
        ASSERT_TRUE(run_until([&] { return peer.shake(); }));
        ASSERT_TRUE(peer.write_hello());
        std::size_t sent = 0;
        ASSERT_TRUE(run_until([&] {
            while (sent < most_of_a_frame.size() && peer.write(ByteView(most_of_a_frame).subspan(sent, 10'000)))
                sent += 10'000;
            return sent == most_of_a_frame.size();
        }));
    }
    ASSERT_TRUE(run_until([&] { return a.down.size() >= 3; }, 2s)) << a.down.size() << " of six; room is for three";
    Node b(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(1 << 20)}));
    ASSERT_TRUE(run_until([&] { return !a.received[b.id()].empty(); })) << "an honest peer's largest frame";
    ASSERT_TRUE(run_until([&] { return a.down.size() == 6; }, 8s));
    EXPECT_EQ(a.down.back().second, "a frame that did not come to its end");
}

// Before: each of the 128 handshakes could hold a frame of 1 MiB, outside of what all links may hold.
TEST_F(Links, APeerWithoutAHelloMakesNobodyHoldAFrame) {
    LinkOptions options;
    options.handshake_deadline = 60s;
    Node a(context_, book_, options);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    const std::array tried{wire::FrameType::call_response, wire::FrameType::forward_request, wire::FrameType::ping};
    for (wire::FrameType type : tried) {
        RawPeer peer(dial_raw(a), identity, LinkSide::dialed);
        ASSERT_TRUE(run_until([&] { return peer.shake(); }));
        Bytes header;
        wire::append_frame_header(header, type, wire::payload_limits(static_cast<std::uint8_t>(type))->maximum);
        ASSERT_TRUE(peer.write(header));
        EXPECT_TRUE(run_until([&] { return peer.read(), peer.closed; }, 2s)) << "refused by its header";
        EXPECT_EQ(a.links.links(), 0u);
    }
    EXPECT_TRUE(a.up.empty());
    Node b(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(1 << 20)}));
    EXPECT_TRUE(run_until([&] { return !a.received[b.id()].empty(); })) << "honest peers' large frames are taken";
}

TEST_F(Links, FramesThatARoleDoesNotTakeAreSkipped) {
    Node a(context_, book_), b(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::forward_request, {Bytes(1'000'000)}));
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.received[b.id()].empty(); }));
    ASSERT_EQ(a.received[b.id()].size(), 1u);
    EXPECT_EQ(a.received[b.id()][0], call(8));
    EXPECT_EQ(a.links.counters().frames_skipped, 1u);
    EXPECT_TRUE(a.down.empty());
}

}  // namespace
}  // namespace planetserve::adapters
