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
    crypto::Identity identity = crypto::Identity::generate(a.random);
    EXPECT_FALSE(shaken(a, identity, "127.0.0.2")->failed);
    EXPECT_EQ(a.links.links(), 4u);
}

// Before: one address could have all 2,048 links, under as many identities, which cost nothing.
TEST_F(Links, OneAddressCannotTakeAllLinks) {
    LinkOptions options;
    options.maximum_links_per_address = 3;
    Node a(context_, book_, options);
    std::vector<std::unique_ptr<RawPeer>> greedy;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < 5; ++i) {
        auto peer = shaken(a, crypto::Identity::generate(a.random), "127.0.0.1");
        refused += peer->failed ? 1 : 0;
        if (peer->failed) continue;
        ASSERT_TRUE(peer->write_hello());
        ASSERT_TRUE(run_until([&] { return a.up.size() == i + 1; }));
        greedy.push_back(std::move(peer));
    }
    EXPECT_EQ(refused, 2u);
    auto honest = shaken(a, crypto::Identity::generate(a.random), "127.0.0.2");
    ASSERT_FALSE(honest->failed);
    ASSERT_TRUE(honest->write_hello());
    ASSERT_TRUE(run_until([&] { return a.up.size() == 4; })) << "other addresses have their places";
    greedy.pop_back();
    ASSERT_TRUE(run_until([&] { return a.down.size() == 1; }));
    EXPECT_FALSE(shaken(a, crypto::Identity::generate(a.random), "127.0.0.1")->failed) << "a place is free again";
}

// Before: one address could begin as many handshakes, of some signatures each, as its line carried.
TEST_F(Links, OneAddressCannotKeepTheNodeBusyWithHandshakes) {
    LinkOptions options;
    options.handshakes_of_address = {1, 4};
    Node a(context_, book_, options);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    int taken = 0;
    for (int i = 0; i < 20; ++i) taken += shaken(a, identity, "127.0.0.1")->failed ? 0 : 1;
    EXPECT_LE(taken, 6) << "four, and one for each second that this took";
    EXPECT_FALSE(shaken(a, crypto::Identity::generate(a.random), "127.0.0.2")->failed) << "others are not held up";
    run_until([] { return false; }, 2s);
    EXPECT_FALSE(shaken(a, identity, "127.0.0.1")->failed) << "it is let in again a little later";
}

TEST(AddressPlaces, AreCountedByNetworkAndForgotten) {
    LinkOptions options;
    options.maximum_links_per_address = 2;
    options.handshakes_of_address = {1, 100};
    AddressPlaces places(options);
    auto group = [](const char* text) { return AddressPlaces::group_of(asio::ip::make_address(text)); };
    EXPECT_EQ(group("2001:db8::1"), group("2001:db8::ffff:0:0:2"));
    EXPECT_NE(group("2001:db8::1"), group("2001:db8:0:1::1"));
    EXPECT_EQ(group("::ffff:192.0.2.7"), group("192.0.2.7"));
    Time now{};
    auto first = places.take(group("192.0.2.7"), now), second = places.take(group("192.0.2.7"), now);
    EXPECT_TRUE(first && second);
    EXPECT_FALSE(places.take(group("192.0.2.7"), now));
    places.forget_idle(now + 1h);
    EXPECT_EQ(places.size(), 1u) << "it has connections";
    first.reset();
    EXPECT_TRUE(places.take(group("192.0.2.7"), now + 1h));
    second.reset();
    places.forget_idle(now + 1h);
    EXPECT_EQ(places.size(), 1u) << "it began one just now";
    places.forget_idle(now + 2h);
    EXPECT_EQ(places.size(), 0u);
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

// Before: what a link held of a frame counted from 64 KiB on, and each reading of such a link walked over all links.
TEST_F(Links, BeginningsOfManyFramesCountTogetherHoweverSmall) {
    LinkOptions options;
    options.maximum_incomplete = 1 << 20;
    Node a(context_, book_, options);
    Bytes beginning;
    wire::append_frame_header(beginning, wire::FrameType::call_response, 1 << 20);
    beginning.resize(60'000);
    for (int round = 0; round < 2; ++round) {
        std::vector<std::unique_ptr<RawPeer>> peers;
        const std::size_t down = a.down.size();
        for (int i = 0; i < 24; ++i) {
            peers.push_back(shaken(a, crypto::Identity::generate(a.random), "127.0.0.1"));
            ASSERT_TRUE(peers.back()->write_hello());
            std::size_t sent = 0;
            ASSERT_TRUE(run_until([&] {
                while (sent < beginning.size() && peers.back()->write(ByteView(beginning).subspan(sent, 10'000)))
                    sent += 10'000;
                return sent == beginning.size();
            }));
        }
        ASSERT_TRUE(run_until([&] { return a.down.size() >= down + 7; }, 3s))
            << "room is for 17 of 24, lost are " << a.down.size() - down;
        EXPECT_LE(a.down.size(), down + 8);
        peers.clear();
        ASSERT_TRUE(run_until([&] { return a.down.size() == down + 24; })) << "and what they held is free again";
    }
    Node b(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(1'000'000)}));
    ASSERT_TRUE(run_until([&] { return !a.received[b.id()].empty(); }));
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
