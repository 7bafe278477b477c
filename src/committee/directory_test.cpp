// A directory client against the embedded engine and hostile imitations of it.

#include <gtest/gtest.h>

#include "committee/committee_fixture.h"
#include "committee/directory_client.h"
#include "committee/directory_server.h"

namespace planetserve::committee {
namespace {

class Directory : public testing::Test, public wire::FrameSender {
protected:
    Directory() : validator_(crypto::Identity::generate(random_)) {
        genesis_ = {"test", UnixTime{1}, {{"v", validator_.id(), 1, {"127.0.0.1", 1}}}, {}};
        reopen();
    }
    void reopen() {
        engine_ = std::move(EmbeddedConsensus::open(genesis_, validator_, store_).value());
        server_ = std::make_unique<DirectoryServer>(*engine_, genesis_);
    }
    struct Node {
        Node(Directory& test, const Genesis& genesis)
            : identity(crypto::Identity::generate(test.random_)),
              client(
                  genesis, identity, {}, test, test.random_, test.clock_.read(),
                  [this](const DirectoryList& list) { seen = list.entries.size(); }, [] { return Load{1, 2, 3}; }) {}
        void register_as_user(Now now) {
            client.set_descriptor(
                {identity.id(), wire::Role::user, {identity.id().value}, {{"127.0.0.1", 7}}, {}, 0, "", "test"}, now);
        }
        crypto::Identity identity;
        DirectoryClient client;
        std::size_t seen = 0;
    };

    Status send(const NodeId& to, wire::FrameType type, std::initializer_list<ByteView> parts) override {
        EXPECT_EQ(type, wire::FrameType::call_request);
        if (down) return fail(ErrorCode::unavailable, "down");
        Bytes payload;
        for (ByteView part : parts) append(payload, part);
        if (auto answer = committee::call(*server_, caller_, payload, clock_.read()))
            answers_.emplace_back(to, std::move(*answer));
        return {};
    }
    std::size_t queued_bytes(const NodeId&) const override { return 0; }

    void run(Node& node, Duration duration) {
        caller_ = node.identity.id();
        for (Time end = clock_.time + duration; clock_.time < end; clock_.time += 50ms) {
            node.client.on_timer(clock_.read());
            auto answers = std::exchange(answers_, {});
            for (auto& [from, answer] : answers) {
                if (tamper) tamper(answer);
                node.client.on_response(from, answer, clock_.read());
            }
            ASSERT_TRUE(engine_->tick(clock_.unix_now()));
        }
    }

    SeededRandom random_{3};
    TestClock clock_;
    crypto::Identity validator_;
    Genesis genesis_;
    MemoryStore store_;
    std::unique_ptr<EmbeddedConsensus> engine_;
    std::unique_ptr<DirectoryServer> server_;
    std::vector<std::pair<NodeId, Bytes>> answers_;
    std::function<void(Bytes&)> tamper;
    bool down = false;
    NodeId caller_;
};

TEST_F(Directory, ANodeRegistersIsListedAndKeepsItsLease) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 10s);
    EXPECT_TRUE(node.client.registered());
    ASSERT_EQ(node.seen, 1u);
    run(node, 120s);
    EXPECT_TRUE(node.client.list()->entries.at(node.identity.id()).descriptor);
    EXPECT_EQ(node.client.list()->entries.at(node.identity.id()).load, (Load{1, 2, 3}));
    EXPECT_TRUE(node.client.problem().empty());
}

TEST_F(Directory, SurvivesARestartOfTheVerifierWithItsRegistry) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 10s);
    auto hash = engine_->registry().app_hash();
    down = true;
    run(node, 20s);
    EXPECT_FALSE(node.client.problem().empty());
    EXPECT_EQ(node.client.list()->entries.size(), 1u) << "the list in hand stays";
    reopen();
    EXPECT_EQ(engine_->registry().entries().size(), 1u);
    EXPECT_TRUE(engine_->registry().app_hash() == hash || engine_->registry().height() > 1);
    down = false;
    run(node, 20s);
    EXPECT_TRUE(node.client.problem().empty()) << node.client.problem();
    EXPECT_TRUE(node.client.registered());
}

TEST_F(Directory, AVerifierThatWasDownForLongDropsNobody) {
    Node node(*this, genesis_), other(*this, genesis_);
    for (Node* each : {&node, &other}) {
        each->register_as_user(clock_.read());
        run(*each, 2s);
    }
    clock_.time += 600s;
    reopen();
    for (int i = 0; i < 10; ++i) {
        run(node, 100ms);
        ASSERT_EQ(engine_->registry().nodes(), 2u);
    }
    run(node, 9s);
    EXPECT_EQ(node.seen, 2u);
    EXPECT_TRUE(node.client.list()->entries.at(other.identity.id()).descriptor);
    run(node, 40s);
    EXPECT_FALSE(node.client.list()->entries.at(other.identity.id()).descriptor) << "it never renewed";
    EXPECT_TRUE(node.client.list()->entries.at(node.identity.id()).descriptor);
}

TEST_F(Directory, ForgedListsAreRefused) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 10s);
    auto before = node.client.list()->header.height;
    tamper = [this](Bytes& answer) {
        answer[8 + random_.below(answer.size() - 8)] ^= static_cast<std::uint8_t>(1 + random_.below(255));
    };
    for (int i = 0; i < 50; ++i) {
        Node other(*this, genesis_);
        run(other, 1s);
        if (!other.client.list()) continue;
        EXPECT_EQ(other.client.list()->header.app_hash, engine_->registry().app_hash());
    }
    EXPECT_GE(node.client.list()->header.height, before);
}

TEST_F(Directory, ADescriptionThatWasTakenAndLostIsSentAgain) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 10s);
    ASSERT_EQ(node.client.list()->entries.at(node.identity.id()).descriptor->addresses[0].port, 7);
    node.client.set_descriptor(
        {node.identity.id(), wire::Role::user, {node.identity.id().value}, {{"127.0.0.1", 8}}, {}, 0, "", "test"},
        clock_.read());
    node.client.on_timer(clock_.read());
    for (auto& [from, answer] : std::exchange(answers_, {})) node.client.on_response(from, answer, clock_.read());
    EXPECT_TRUE(node.client.registered());
    reopen();  // with what waited for a block
    run(node, 30s);
    EXPECT_EQ(node.client.list()->entries.at(node.identity.id()).descriptor->addresses[0].port, 8);
    EXPECT_TRUE(node.client.problem().empty()) << node.client.problem();
}

TEST_F(Directory, AnotherValidatorsSignatureDoesNotCount) {
    Genesis other = genesis_;
    other.validators[0].id = crypto::Identity::generate(random_).id();
    Node node(*this, other);
    run(node, 5s);
    EXPECT_FALSE(node.client.list());
    EXPECT_NE(node.client.problem().find("voting power"), std::string::npos) << node.client.problem();
}

TEST_F(Directory, TwoThirdsExactlyAreNotEnough) {
    std::vector<crypto::Identity> three;
    Genesis genesis{"t", UnixTime{1}, {}, {}};
    for (int i = 0; i < 3; ++i) {
        three.push_back(crypto::Identity::generate(random_));
        genesis.validators.push_back({"v", three.back().id(), 1, {"127.0.0.1", 1}});
    }
    StateHeader header{5, UnixTime{9}, {}, {}};
    auto network = genesis.network();
    for (int i = 0; i < 2; ++i) header.signatures.push_back(sign_header(header, network, three[i]));
    EXPECT_FALSE(verify_header(header, genesis, network));
    header.signatures.push_back(header.signatures[0]);
    EXPECT_FALSE(verify_header(header, genesis, network)) << "one validator twice";
    header.signatures.push_back(sign_header(header, network, three[2]));
    EXPECT_TRUE(verify_header(header, genesis, network));
    header.height = 6;
    EXPECT_FALSE(verify_header(header, genesis, network));
}

TEST_F(Directory, AKeptListIsAdoptedOnlyWhenItWasSigned) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 10s);
    Bytes kept = node.client.keep();
    Node later(*this, genesis_);
    ASSERT_TRUE(later.client.adopt(kept, clock_.read()));
    EXPECT_EQ(later.seen, 1u);
    kept[kept.size() / 2] ^= 1;
    Node victim(*this, genesis_);
    EXPECT_FALSE(victim.client.adopt(kept, clock_.read()));
}

// Several parts, of a state that changes with every block: each part must be of the list that the first one was of.
TEST_F(Directory, ALongListArrivesWholeWhileTheStateGoesOn) {
    std::vector<Member> members;
    for (int i = 0; i < 150; ++i) members.push_back(make_large_member(random_));
    auto submit = [&](const Member& member, auto body) {
        auto now = static_cast<std::uint64_t>(clock_.unix_now().milliseconds);
        Transaction transaction = make_register(member.descriptor, genesis_.network(), now, member.identity);
        if constexpr (std::is_same_v<decltype(body), Renew>) transaction.body = body;
        auto taken = engine_->submit(sign(transaction, member.identity), clock_.unix_now());
        ASSERT_TRUE(taken) << taken.error().message;
    };
    for (const Member& member : members) submit(member, Register{});
    ASSERT_TRUE(engine_->tick(clock_.unix_now()));
    clock_.time += 1s;
    ASSERT_GT(engine_->proven_state().size(), 1u << 20) << "three parts at least";
    Node node(*this, genesis_);
    std::size_t next = 0;
    std::set<std::int64_t> heights;
    for (Time end = clock_.time + 60s; clock_.time < end;) {
        for (int i = 0; i < 10; ++i) submit(members[next++ % members.size()], Renew{{1, 2, 3}});
        run(node, 50ms);
        clock_.time += 700ms;  // a part a second
        if (node.client.list()) heights.insert(node.client.list()->header.height);
    }
    EXPECT_EQ(node.seen, members.size());
    EXPECT_TRUE(node.client.problem().empty()) << node.client.problem();
    EXPECT_GE(heights.size(), 3u) << "and it is renewed";
}

TEST_F(Directory, OnePeerCannotAskForAll) {
    Bytes call(8);
    NodeId greedy = random_.id<NodeId>(), modest = random_.id<NodeId>();
    auto refused = server_->refused();
    for (int i = 0; i < 200; ++i) ASSERT_TRUE(committee::call(*server_, greedy, call, clock_.read()));
    auto answer = *committee::call(*server_, greedy, call, clock_.read());
    EXPECT_NE(as_text(answer).find("too many calls"), std::string_view::npos);
    answer = *committee::call(*server_, modest, call, clock_.read());
    EXPECT_EQ(as_text(answer).find("too many calls"), std::string_view::npos);
    clock_.time += 1s;
    answer = *committee::call(*server_, greedy, call, clock_.read());
    EXPECT_EQ(as_text(answer).find("too many calls"), std::string_view::npos);
    EXPECT_GT(server_->refused(), refused);
}

TEST_F(Directory, TheTableOfPeersIsBounded) {
    PeerLimiter limiter({.calls = {1, 2}, .peers = 10});
    Time now = Time{} + 1h;
    std::vector<NodeId> peers;
    for (int i = 0; i < 11; ++i) peers.push_back(random_.id<NodeId>());
    for (int i = 0; i < 10; ++i) EXPECT_TRUE(limiter.take(peers[i], now));
    EXPECT_FALSE(limiter.take(peers[10], now)) << "full";
    EXPECT_TRUE(limiter.take(peers[0], now));
    EXPECT_FALSE(limiter.take(peers[0], now)) << "spent";
    EXPECT_TRUE(limiter.take(peers[10], now + 1500ms)) << "those whose bucket is full again are forgotten";
    EXPECT_EQ(limiter.peers(), 2u);
}

// Before, the limit went by the clock's time of day: a clock that was corrected by an hour gave each peer all its
// calls.
TEST_F(Directory, AClockThatIsSetGivesNobodyMoreCalls) {
    const NodeId greedy = random_.id<NodeId>();
    const Bytes call(8);
    Now now = clock_.read();
    auto refused = [&] {
        return as_text(*committee::call(*server_, greedy, call, now)).find("too many calls") != std::string_view::npos;
    };
    while (!refused()) {
    }
    now.unix = now.unix + 1h;
    EXPECT_TRUE(refused());
    now.unix = now.unix + (-2h);
    EXPECT_TRUE(refused());
    now.time += 1s;
    EXPECT_FALSE(refused());
}

TEST_F(Directory, AFetchThatSucceedsDoesNotHideARegistrationThatDoesNot) {
    genesis_.parameters.maximum_nodes = 1;
    reopen();
    Node first(*this, genesis_), second(*this, genesis_);
    first.register_as_user(clock_.read());
    run(first, 2s);
    second.register_as_user(clock_.read());
    for (int i = 0; i < 100; ++i) {
        run(second, 100ms);
        run(first, 100ms);
    }
    ASSERT_TRUE(second.client.list());
    EXPECT_FALSE(second.client.registered());
    EXPECT_NE(second.client.problem().find("as many as it takes"), std::string::npos) << second.client.problem();
}

TEST_F(Directory, ClientsFollowARegistryBegunAnew) {
    Node node(*this, genesis_);
    node.register_as_user(clock_.read());
    run(node, 60s);
    auto height = node.client.list()->header.height;
    store_ = {};
    reopen();
    run(node, 20s);
    EXPECT_TRUE(node.client.problem().empty()) << node.client.problem();
    EXPECT_GT(node.client.list()->header.height, height);
    EXPECT_TRUE(node.client.list()->entries.at(node.identity.id()).descriptor);
}

TEST_F(Directory, RubbishGetsAnErrorNotACrash) {
    for (int i = 0; i < 2000; ++i) {
        clock_.time += 50ms;
        Bytes payload(random_.below(100));
        random_.fill(payload);
        auto answer = committee::call(*server_, caller_, payload, clock_.read());
        EXPECT_EQ(answer.has_value(), payload.size() >= 8);
    }
    EXPECT_TRUE(engine_->registry().entries().empty());
}

}  // namespace
}  // namespace planetserve::committee
