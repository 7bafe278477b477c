#include "routing/member.h"

#include <gtest/gtest.h>

namespace planetserve::routing {
namespace {

// Members joined by a network that may lose messages, in virtual time.
class MemberTest : public testing::Test {
protected:
    struct Node final : MemberOutput {
        Node(MemberTest& own, const NodeId& own_id, Incarnation incarnation)
            : test(own), id(own_id), member(own_id, own.options_, incarnation, own.random_, *this) {}
        void send_sync(const NodeId& peer, ByteView message) override {
            if (test.random_.unit() < test.loss_) return;
            test.on_the_way_.push_back({id, peer, to_bytes(message)});
        }
        MemberTest& test;
        NodeId id;
        Member member;
    };
    struct Message {
        NodeId from;
        NodeId to;
        Bytes bytes;
    };

    Node& join() {
        NodeId id = random_.id<NodeId>();
        return restart(id);
    }
    Node& restart(const NodeId& id) {
        auto& node = nodes_[id] = std::make_unique<Node>(*this, id, ++lives_);
        tell_list();
        return *node;
    }
    void tell_list() {
        std::vector<Peer> list;
        for (auto& [id, node] : nodes_) list.push_back({id, reputation_[id] == 0 ? 0.5 : reputation_[id]});
        for (auto& [id, node] : nodes_) node->member.set_peers(list, 0.5, now_);
    }
    void run_for(Duration duration) {
        for (Time end = now_ + duration; now_ < end; now_ += 100ms) {
            for (auto& [id, node] : nodes_)
                if (now_ >= node->member.next_timer()) node->member.on_timer(now_);
            for (auto messages = std::exchange(on_the_way_, {}); Message & message : messages)
                if (auto to = nodes_.find(message.to); to != nodes_.end())
                    to->second->member.on_message(message.from, message.bytes, now_);
        }
    }
    Bytes prompt(std::size_t size) {
        Bytes bytes(size);
        random_.fill(bytes);
        return bytes;
    }
    void expect_converged() {
        for (auto& [id, node] : nodes_)
            for (const auto& peer : node->member.peers()) {
                EXPECT_TRUE(peer.current);
                EXPECT_TRUE(peer.same_key);
                EXPECT_EQ(peer.prefixes, nodes_.at(peer.id)->member.own_prefixes());
            }
    }

    SeededRandom random_{11};
    MemberOptions options_;
    Time now_{1000s};
    double loss_ = 0;
    Incarnation lives_ = 0;
    std::map<NodeId, std::unique_ptr<Node>> nodes_;
    std::map<NodeId, double> reputation_;
    std::vector<Message> on_the_way_;
};

TEST_F(MemberTest, APromptGoesWhereItsPrefixIsWhicheverNodeItEntersBy) {
    for (int i = 0; i < 4; ++i) join();
    run_for(11s);
    Bytes first = prompt(8000);
    NodeId holder = nodes_.begin()->first;
    nodes_.at(holder)->member.on_started(first);
    run_for(6s);
    Bytes longer = first;
    append(longer, prompt(900));
    for (auto& [id, node] : nodes_) {
        Placement placement = node->member.place(longer, {}, now_);
        EXPECT_EQ(placement.node, holder);
        EXPECT_EQ(placement.reason, Reason::hit);
        EXPECT_EQ(placement.cached_tokens, 8000 / 256 * 256 / 4);
    }
    // Without it, to another.
    EXPECT_NE(nodes_.rbegin()->second->member.place(longer, {holder}, now_).node, holder);
}

TEST_F(MemberTest, ConvergesWithinTwoPeriodsAfterJoinLeaveRestartAndLoss) {
    for (int i = 0; i < 3; ++i) join();
    run_for(5s);
    for (auto& [id, node] : nodes_) node->member.on_started(prompt(20'000));
    run_for(10s);
    expect_converged();

    NodeId leaver = nodes_.begin()->first;
    Node& newcomer = join();
    run_for(1s);  // until then it hashes under a key of its own, and what it hashed is lost
    newcomer.member.on_started(prompt(5'000));
    run_for(10s);
    expect_converged();
    EXPECT_EQ(newcomer.member.own_prefixes(), 19u);

    std::size_t before = newcomer.member.tree_prefixes();
    nodes_.at(leaver)->member.leave();
    run_for(200ms);
    nodes_.erase(leaver);
    EXPECT_EQ(newcomer.member.tree_prefixes(), before - 20'000 / 256);
    tell_list();
    run_for(10s);
    expect_converged();

    NodeId restarted = nodes_.rbegin()->first;
    restart(restarted).member.on_started(prompt(3'000));
    run_for(10s);
    expect_converged();

    loss_ = 0.3;
    for (int i = 0; i < 20; ++i) {
        for (auto& [id, node] : nodes_) node->member.on_started(prompt(1 + random_.below(4000)));
        run_for(5s);
    }
    loss_ = 0;
    run_for(10s);
    expect_converged();
}

TEST_F(MemberTest, SendsNothingToTheSilentTheUntrustedAndTheNewlyListed) {
    Node& entry = join();
    Node& other = join();
    Bytes text = prompt(4000);
    run_for(1s);
    other.member.on_started(text);
    run_for(6s);
    EXPECT_EQ(entry.member.place(text, {}, now_).node, entry.id);  // listed for 7 s
    run_for(5s);
    EXPECT_EQ(entry.member.place(text, {}, now_).node, other.id);
    reputation_[other.id] = 0.4;
    tell_list();
    EXPECT_EQ(entry.member.place(text, {}, now_).node, entry.id);
    reputation_[other.id] = 0.41;
    tell_list();
    EXPECT_EQ(entry.member.place(text, {}, now_).node, other.id);
    entry.member.on_link_down(other.id);
    EXPECT_EQ(entry.member.place(text, {}, now_).node, entry.id);
    run_for(6s);
    EXPECT_EQ(entry.member.place(text, {}, now_).node, other.id);
    loss_ = 1;
    run_for(16s);
    EXPECT_EQ(entry.member.place(text, {}, now_).node, entry.id);
}

TEST_F(MemberTest, AReportOfLessThanExpectedCorrectsTheMirror) {
    Node& node = join();
    Bytes old = prompt(40'000);
    node.member.on_started(old);
    node.member.on_finished(old, old, Member::Report{10'000, 0, 0});
    EXPECT_EQ(node.member.own_prefixes(), 156u);
    // The engine kept a fifth of it.
    Bytes next(old.begin(), old.begin() + 20'000);
    append(next, prompt(2'000));
    std::uint64_t expected = node.member.on_started(next);
    EXPECT_NEAR(static_cast<double>(expected), 5000.0, 80.0);
    node.member.on_finished(next, next, Member::Report{5500, 1000, expected});
    EXPECT_EQ(node.member.counters().corrections, 1u);
    EXPECT_EQ(node.member.own_prefixes(), 22'000u / 256);
    node.member.on_engine_restart();
    EXPECT_EQ(node.member.own_prefixes(), 0u);
}

TEST_F(MemberTest, OneHostileMemberMovesNobodysKeyAndBadMessagesAreRefused) {
    for (int i = 0; i < 3; ++i) join();
    run_for(3s);
    NodeId hostile = nodes_.begin()->first;
    Node& honest = *nodes_.rbegin()->second;
    std::uint64_t rekeyed = honest.member.counters().rekeyed;
    for (int i = 0; i < 20; ++i) {
        Bytes offer{1};
        append(offer, prompt(32));
        honest.member.on_message(hostile, offer, now_);
    }
    EXPECT_EQ(honest.member.counters().rekeyed, rekeyed);
    for (const Bytes& bad : {Bytes{}, Bytes{0}, Bytes{1, 2, 3}, Bytes{2, 1}, Bytes(200, 9)})
        honest.member.on_message(hostile, bad, now_);
    EXPECT_EQ(honest.member.counters().refused, 5u);
    honest.member.on_message(random_.id<NodeId>(), Bytes(33, 1), now_);  // no member
}

}  // namespace
}  // namespace planetserve::routing
