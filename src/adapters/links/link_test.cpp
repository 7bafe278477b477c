// Links over real sockets on the loopback.

#include <gtest/gtest.h>

#include "adapters/links/descriptors.h"
#include "adapters/links/links_fixture.h"

namespace planetserve::adapters {
namespace {

using namespace testing_support;

TEST_F(Links, CarryFramesBothWaysInOrder) {
    Node a(context_, book_), b(context_, book_);
    for (int i = 0; i < 500; ++i)
        ASSERT_TRUE(
            a.links.send(b.id(), wire::FrameType::call_response, {call(100 + i, static_cast<std::uint8_t>(i))}));
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
            ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_response, {call(50)}));
            ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(50)}));
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
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("was expected"), std::string::npos);
    EXPECT_TRUE(c.received.empty());
}

TEST_F(Links, AnotherNetworkIsRefusedAndBothLearnWhy) {
    Node a(context_, book_), b(context_, book_, {}, 2);
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_response, {call(8)}));
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
        EXPECT_TRUE(a.links.send(identity.id(), wire::FrameType::call_response, {call(8)}));
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
    EXPECT_EQ(a.links.send(stranger, wire::FrameType::call_response, {call(8)}).error().code, ErrorCode::unavailable);
    book_[stranger] = {"127.0.0.1", 1};
    ASSERT_TRUE(a.links.send(stranger, wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !a.down.empty(); }));
    EXPECT_NE(a.down[0].second.find("refused"), std::string::npos) << a.down[0].second;
    EXPECT_FALSE(a.links.send(stranger, wire::FrameType::call_response, {call(8)})) << "backing off";
}

TEST_F(Links, AFullQueueIsRefusedAndDrained) {
    LinkOptions options;
    options.maximum_queue = 4 << 20;
    Node a(context_, book_, options), b(context_, book_);
    std::size_t sent = 0;
    while (a.links.send(b.id(), wire::FrameType::call_response, {call(100'000)})) ++sent;
    EXPECT_LE(sent, 42u);
    ASSERT_TRUE(run_until([&] { return b.received[a.id()].size() == sent; }));
    EXPECT_GE(a.drained, 1);
    EXPECT_EQ(a.links.queued_bytes(b.id()), 0u);
}

TEST_F(Links, APeerThatGoesIsNoticed) {
    Node a(context_, book_);
    auto b = std::make_unique<Node>(context_, book_);
    NodeId gone = b->id();
    ASSERT_TRUE(a.links.send(gone, wire::FrameType::call_response, {call(8)}));
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
    ASSERT_TRUE(a.links.send(b.id(), wire::FrameType::call_response, {call(8)}));
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
    ASSERT_TRUE(c.links.send(d.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !d.down.empty(); }));
    EXPECT_NE(d.down[0].second.find("idle"), std::string::npos) << d.down[0].second;
}

TEST_F(Links, WhenFullTheLongestIdleLinkMakesRoom) {
    LinkOptions options;
    options.maximum_links = 2;
    options.evict_after = 1s;
    Node a(context_, book_, options), b(context_, book_), c(context_, book_), d(context_, book_), e(context_, book_);
    ASSERT_TRUE(b.links.send(a.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return a.received.contains(b.id()); }));
    ASSERT_TRUE(a.links.send(c.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return c.received.contains(a.id()); }));
    ASSERT_TRUE(d.links.send(a.id(), wire::FrameType::call_response, {call(8)}));
    ASSERT_TRUE(run_until([&] { return !d.down.empty(); }));
    EXPECT_NE(d.down[0].second.find("as many links"), std::string::npos) << "none is idle: " << d.down[0].second;

    // b's link is idle, c's is used.
    ASSERT_TRUE(run_until([&] {
        (void)a.links.send(c.id(), wire::FrameType::call_response, {call(8)});
        return a.links.send(e.id(), wire::FrameType::call_response, {call(8)}).has_value();
    }));
    ASSERT_TRUE(run_until([&] { return e.received.contains(a.id()); }));
    ASSERT_EQ(a.down.size(), 1u);
    EXPECT_EQ(a.down[0].first, b.id());
    EXPECT_EQ(a.links.links(), 2u);
    ASSERT_TRUE(run_until([&] { return !b.down.empty(); }));

    ASSERT_TRUE(run_until([&] {
        (void)a.links.send(c.id(), wire::FrameType::call_response, {call(8)});
        (void)d.links.send(a.id(), wire::FrameType::call_response, {call(8)});
        return a.received.contains(d.id());
    })) << "an accepted one gets the room of an idle one too";
    EXPECT_EQ(a.down.back().first, e.id());
    EXPECT_EQ(a.links.links(), 2u);
}

TEST_F(Links, AnAbandonedDialOfThePeerDoesNotReplaceTheLinkThatIsKept) {
    Node a(context_, book_);
    crypto::Identity identity = crypto::Identity::generate(a.random);
    while (identity.id() < a.id()) identity = crypto::Identity::generate(a.random);
    asio::ip::tcp::acceptor acceptor(context_, {asio::ip::make_address("127.0.0.1"), 0});
    book_[identity.id()] = {"127.0.0.1", acceptor.local_endpoint().port()};
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_response, {call(8)}));
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
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_response, {Bytes(20, 'x')}));
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
    ASSERT_TRUE(a.links.send(identity.id(), wire::FrameType::call_response, {call(8)}));
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
