#include "routing/member.h"

#include <gtest/gtest.h>

#include <cmath>

namespace planetserve::routing {
namespace {

// Members on a network that may lose messages, in virtual time.
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
        for (auto& [id, node] : nodes_) list.push_back({id, trust_[id]});
        for (auto& [id, node] : nodes_) node->member.set_peers(list, Trust::trusted, now_);
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
    std::map<NodeId, Trust> trust_;
    std::vector<Message> on_the_way_;
};

TEST_F(MemberTest, AgreeOnAKeyWhateverOffersWereLost) {
    for (int round = 0; round < 30; ++round) {
        nodes_.clear();
        on_the_way_.clear();
        loss_ = 0.7;
        for (int i = 0; i < 4; ++i) join();
        run_for(10s);
        loss_ = 0;
        run_for(12s);
        expect_converged();
    }
}

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
    // Another node gets the prompt if the holder is excluded.
    EXPECT_NE(nodes_.rbegin()->second->member.place(longer, {holder}, now_).node, holder);
}

// A node that claims to be fastest must not draw the requests of others.
TEST_F(MemberTest, APromptGoesWhereItsPrefixIsWhateverAnotherClaims) {
    for (int i = 0; i < 4; ++i) join();
    for (auto& [id, node] : nodes_)
        node->member.set_load({.latency_us = 2'000'000, .queued = 1, .capacity = 4, .prefill_tokens_per_second = 1000},
                              now_);
    const NodeId holder = nodes_.begin()->first, liar = nodes_.rbegin()->first;
    nodes_.at(liar)->member.set_load(
        {.latency_us = 0, .queued = 0, .capacity = 1'000'000, .prefill_tokens_per_second = 4'000'000'000}, now_);
    run_for(11s);
    Bytes text = prompt(40'000);
    nodes_.at(holder)->member.on_started(text);
    run_for(6s);
    append(text, prompt(300));
    for (auto& [id, node] : nodes_) {
        if (id == liar) continue;
        EXPECT_EQ(node->member.place(text, {}, now_).node, holder);
    }
    // A shunned node gets nothing, even if it is the holder.
    Node& entry = *std::next(nodes_.begin())->second;
    EXPECT_NE(entry.member.place(text, {}, now_, {holder}).node, holder);
}

TEST_F(MemberTest, ConvergesWithinTwoPeriodsAfterJoinLeaveRestartAndLoss) {
    for (int i = 0; i < 3; ++i) join();
    run_for(5s);
    for (auto& [id, node] : nodes_) node->member.on_started(prompt(20'000));
    run_for(10s);
    expect_converged();

    NodeId leaver = nodes_.begin()->first;
    Node& newcomer = join();
    run_for(1s);  // until then it hashes under its own key, and loses those hashes when it takes the group's
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
    trust_[other.id] = Trust::not_trusted;
    tell_list();
    EXPECT_EQ(entry.member.place(text, {}, now_).node, entry.id);
    trust_[other.id] = Trust::trusted;
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
    node.member.on_computed(node.member.on_started(old).number);
    node.member.on_finished(old, old, Member::Report{10'000, 0, 0});
    EXPECT_EQ(node.member.own_prefixes(), 156u);
    // The engine kept only a fifth of what the mirror expects.
    Bytes next(old.begin(), old.begin() + 20'000);
    append(next, prompt(2'000));
    std::uint64_t expected = node.member.on_started(next).expected_tokens;
    EXPECT_NEAR(static_cast<double>(expected), 5000.0, 80.0);
    node.member.on_finished(next, next, Member::Report{5500, 1000, expected});
    EXPECT_EQ(node.member.counters().corrections, 1u);
    EXPECT_EQ(node.member.own_prefixes(), 22'000u / 256);
    node.member.on_engine_restart();
    EXPECT_EQ(node.member.own_prefixes(), 0u);
}

TEST_F(MemberTest, WhatIsBeingComputedIsNotCachedYet) {
    Node& node = join();
    Bytes first = prompt(8000);
    Bytes second = first;
    append(second, prompt(1000));
    Bytes third = second;
    append(third, prompt(1000));
    auto tokens = [&](std::size_t bytes) { return bytes / 256 * 256 / 4; };
    Member::Started a = node.member.on_started(first);
    EXPECT_EQ(a.expected_tokens, 0u);
    Member::Started b = node.member.on_started(second);
    EXPECT_EQ(b.expected_tokens, 0u);
    // The tree lists it as held, since it soon will be.
    EXPECT_EQ(node.member.cached_tokens(node.id, second), tokens(9000));
    node.member.on_computed(a.number);
    Member::Started c = node.member.on_started(third);
    EXPECT_EQ(c.expected_tokens, tokens(8000)) << "the second's own part is not there yet";
    node.member.on_computed(b.number);
    node.member.on_computed(b.number);
    node.member.on_computed(c.number);
    EXPECT_EQ(node.member.on_started(third).expected_tokens, tokens(10'000));
    options_.count_computing = false;
    Node& without = join();
    without.member.on_started(first);
    EXPECT_EQ(without.member.on_started(second).expected_tokens, tokens(8000));
}

// The prompts of ten tools, some of them rare, enter at any node and go where they are held.
TEST_F(MemberTest, TheGroupComesToOneArrayAndKeepsWhatItKnew) {
    constexpr std::size_t tools = 10;
    options_.adapt_array = true;
    for (int i = 0; i < 4; ++i) join();
    run_for(11s);
    std::vector<Bytes> systems;
    std::vector<double> cumulative;
    for (std::size_t i = 0; i < tools; ++i) {
        systems.push_back(prompt(1500 + 1733 * i));
        cumulative.push_back((i == 0 ? 0 : cumulative.back()) + std::pow(i + 1.0, -1.1));
    }
    auto next = [&] {
        auto drawn = std::ranges::upper_bound(cumulative, random_.unit() * cumulative.back()) - cumulative.begin();
        Bytes text = systems[static_cast<std::size_t>(drawn)];
        append(text, prompt(300 + random_.below(300)));
        return text;
    };
    Bytes held;
    for (int i = 0; i < 3000; ++i) {
        auto entry = std::next(nodes_.begin(), static_cast<std::ptrdiff_t>(random_.below(nodes_.size())));
        Bytes text = next();
        Placement placement = entry->second->member.place(text, {}, now_);
        nodes_.at(placement.node)->member.on_started(text);
        if (i == 50) held = text;
        run_for(100ms);
    }
    const ChunkLengths array = nodes_.begin()->second->member.array();
    ASSERT_EQ(array.lengths.size(), 2 * tools);
    std::size_t end = 0;
    for (std::size_t i = 0; i < tools; ++i) {
        end += array.lengths[2 * i];
        EXPECT_LE(end, systems[i].size());
        EXPECT_GT(end + 8, systems[i].size());
        end += array.lengths[2 * i + 1];
    }
    for (auto& [id, node] : nodes_) {
        EXPECT_EQ(node->member.array(), array);
        // Members still find prompts that were computed before the array changed.
        EXPECT_GT(node->member.place(held, {}, now_).best_cached_tokens + 64, held.size() / 4);
    }
}

TEST_F(MemberTest, ASentrySeesWhatEntersOnceAndNotWhatIsServed) {
    options_.adapt_array = true;
    Node& node = join();
    Bytes system = prompt(1000);
    for (int i = 0; i < 100; ++i) {
        Bytes text = system;
        append(text, prompt(500));
        node.member.on_started(text);
        node.member.place(text, {random_.id<NodeId>()}, now_);
    }
    node.member.on_timer(now_);
    EXPECT_EQ(node.member.array().version, 0u);
    for (int i = 0; i < 100; ++i) {
        Bytes text = system;
        append(text, prompt(500));
        node.member.place(text, {}, now_);
    }
    for (int i = 0; i < 4; ++i) node.member.on_timer(now_ += 5s);
    EXPECT_EQ(node.member.array().version, 1u);
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
    honest.member.on_message(random_.id<NodeId>(), Bytes(33, 1), now_);  // not a member
}

// A part of a snapshot carries no load.
TEST_F(MemberTest, AMemberThatKeepsItsLoadToItselfGetsNothing) {
    join();
    join();
    run_for(15s);
    const NodeId hostile = nodes_.begin()->first;
    Node& honest = *nodes_.rbegin()->second;
    nodes_.begin()->second->member.on_timer(now_ += 5s);
    ASSERT_FALSE(on_the_way_.empty());
    // A new life of which the first and only message is such a part.
    const Bytes delta = on_the_way_.back().bytes;
    Bytes message(delta.begin(), delta.begin() + 1 + GroupKeyName::size);
    SnapshotPart part;
    part.incarnation = lives_ + 100;
    part.sequence = 1;
    append(message, encode(part, options_.width));
    honest.member.on_message(hostile, message, now_);
    EXPECT_EQ(honest.member.counters().refused, 0u);
    LoadReport busy;
    busy.latency_us = 1'000'000;
    busy.queued = 40;
    honest.member.set_load(busy, now_);
    for (int i = 0; i < 50; ++i) EXPECT_EQ(honest.member.place(prompt(2000), {}, now_).node, honest.id);
}

}  // namespace
}  // namespace planetserve::routing
