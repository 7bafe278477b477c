#include <gtest/gtest.h>

#include <set>

#include "base/random.h"
#include "routing/publisher.h"
#include "routing/replica.h"

namespace planetserve::routing {
namespace {

constexpr HashWidth width = HashWidth::bits16;
using Hashes = std::vector<ChunkHash>;

std::set<std::uint64_t> keys_of(const CacheMirror& mirror) {
    std::set<std::uint64_t> keys;
    mirror.snapshot([&](PathChange&& run) {
        PrefixKey key = run.parent;
        for (ChunkHash hash : run.hashes) keys.insert((key = key.child(hash)).value);
    });
    return keys;
}

// One model node: its mirror and publisher, and a tree of what the others told it.
struct Node {
    Node(HolderIndex node_index, Incarnation life, SeededRandom& random, PublisherLimits limits)
        : index(node_index),
          incarnation(life),
          mirror(random.next(), 1'000'000, 60),
          publisher(life, width, mirror, limits),
          tree(random.next()),
          replica(tree, width) {}

    void work(SeededRandom& random) {
        Hashes path;
        for (std::uint64_t left = 1 + random.below(12); left > 0; --left)
            path.push_back(static_cast<ChunkHash>(random.below(3) * 777));
        CacheMirror::Changes changes;
        if (random.below(12) > 0)
            mirror.use(path, std::vector<std::uint32_t>(path.size(), 1), changes);
        else
            mirror.forget(path, random.below(path.size()), changes);
        publisher.record(std::move(changes));
        publisher.set_load({static_cast<std::uint32_t>(random.below(1000)), 1, 1, 0, 0});
    }

    HolderIndex index;
    Incarnation incarnation;
    CacheMirror mirror;
    Publisher publisher;
    HrTree tree;
    Replica replica;
};

// Nodes on a network that loses, repeats and reorders messages.
struct Network {
    Network(std::uint64_t seed, std::size_t count, PublisherLimits publisher_limits)
        : random(seed), limits(publisher_limits) {
        for (std::size_t i = 0; i < count; ++i) nodes.push_back(make(static_cast<HolderIndex>(i)));
    }
    std::unique_ptr<Node> make(HolderIndex index) { return std::make_unique<Node>(index, ++lives, random, limits); }

    void send(HolderIndex from, HolderIndex to, const Bytes& bytes) {
        if (random.unit() < loss) return;
        std::uint64_t copies = random.unit() < repetition ? 2 : 1;
        for (std::uint64_t i = 0; i < copies; ++i) on_the_way.push_back({from, to, bytes});
        bytes_sent += bytes.size();
    }
    void deliver_some(bool all) {
        while (!on_the_way.empty() && (all || random.below(4) > 0)) {
            std::size_t which = random.unit() < reorder ? random.below(on_the_way.size()) : 0;
            auto [from, to, bytes] = std::move(on_the_way[which]);
            on_the_way.erase(on_the_way.begin() + static_cast<std::ptrdiff_t>(which));
            if (!nodes[to] || !nodes[from]) continue;
            auto outcome = nodes[to]->replica.on_message(from, bytes, now);
            ASSERT_TRUE(outcome) << outcome.error().message;
            if (outcome->reply) send(to, from, *outcome->reply);
            if (outcome->request)
                for (const Bytes& message : nodes[to]->publisher.repair(from, *outcome->request, now))
                    send(to, from, message);
        }
    }
    void broadcast(HolderIndex from, const std::vector<Bytes>& messages) {
        for (const Bytes& bytes : messages)
            for (const auto& node : nodes)
                if (node && node->index != from) send(from, node->index, bytes);
    }
    void period() {
        for (int second = 0; second < 5; ++second) {
            now += 1s;
            for (const auto& node : nodes)
                for (const auto& peer : nodes)
                    if (node && peer && node != peer)
                        if (auto request = node->replica.on_timer(peer->index, now))
                            send(node->index, peer->index, *request);
            deliver_some(false);
        }
        for (const auto& node : nodes)
            if (node) broadcast(node->index, node->publisher.deltas());
        deliver_some(loss == 0);
    }
    void quiet() { loss = repetition = reorder = 0; }

    void expect_equal() {
        for (const auto& writer : nodes) {
            for (const auto& reader : nodes) {
                if (!reader || reader == writer) continue;
                if (!writer) continue;
                auto keys = keys_of(writer->mirror);
                EXPECT_EQ(reader->tree.content(writer->index).prefixes, keys.size());
                EXPECT_TRUE(reader->replica.is_current(writer->index));
                for (std::uint64_t key : keys) EXPECT_TRUE(reader->tree.holds({key}, writer->index));
            }
        }
    }

    struct Travelling {
        HolderIndex from;
        HolderIndex to;
        Bytes bytes;
    };
    SeededRandom random;
    PublisherLimits limits;
    Incarnation lives = 0;
    std::vector<std::unique_ptr<Node>> nodes;
    std::vector<Travelling> on_the_way;
    Time now{};
    double loss = 0.2;
    double repetition = 0.2;
    double reorder = 0.3;
    std::size_t bytes_sent = 0;
};

class Convergence : public testing::TestWithParam<std::uint64_t> {};

TEST_P(Convergence, AfterLossReorderRepetitionAndRestarts) {
    // Limits so small that deltas are split, kept deltas run out, and snapshots have parts.
    PublisherLimits limits;
    if (GetParam() % 2 == 0) limits = {.message_bytes = 300, .kept_bytes = 400, .pending_bytes = 2000};
    Network network(GetParam(), 4, limits);
    for (int period = 0; period < 60; ++period) {
        for (auto& node : network.nodes) {
            if (!node) {
                if (network.random.below(3) == 0)
                    node = network.make(static_cast<HolderIndex>(&node - network.nodes.data()));
                continue;
            }
            for (std::uint64_t left = network.random.below(8); left > 0; --left) node->work(network.random);
            std::uint64_t fate = network.random.below(60);
            if (fate == 0) {
                node = network.make(node->index);
            } else if (fate == 1) {
                network.broadcast(node->index, {node->publisher.leave()});
                for (auto& other : network.nodes)
                    if (other && other != node) other->replica.remove(node->index);
                node.reset();
            } else if (fate == 2) {
                node->mirror.clear();
                node->publisher.restart_log();
            }
        }
        network.period();
    }
    for (auto& node : network.nodes)
        if (!node) node = network.make(static_cast<HolderIndex>(&node - network.nodes.data()));
    network.quiet();
    // The first delta shows what was lost before; the repair comes before the third.
    for (int period = 0; period < 2; ++period) network.period();
    network.deliver_some(true);
    network.expect_equal();
}

INSTANTIATE_TEST_SUITE_P(Seeds, Convergence, testing::Range<std::uint64_t>(0, 40));

struct Pair {
    explicit Pair(PublisherLimits limits = {}) : writer(1, 5, random, limits), tree(9), replica(tree, width) {}

    Replica::Outcome receive(const Bytes& bytes) {
        auto outcome = replica.on_message(1, bytes, now);
        EXPECT_TRUE(outcome);
        return outcome.value_or(Replica::Outcome{});
    }
    void use(const Hashes& path) {
        CacheMirror::Changes changes;
        writer.mirror.use(path, std::vector<std::uint32_t>(path.size(), 1), changes);
        writer.publisher.record(std::move(changes));
    }
    SeededRandom random{4};
    Node writer;
    HrTree tree;
    Replica replica;
    Time now{};
};

TEST(Sync, GapIsAskedForAndFilled) {
    Pair pair;
    pair.use({1, 2});
    EXPECT_FALSE(pair.receive(pair.writer.publisher.deltas().at(0)).reply);
    pair.use({1, 2, 3});
    pair.writer.publisher.deltas();
    pair.use({4});
    auto outcome = pair.receive(pair.writer.publisher.deltas().at(0));
    ASSERT_TRUE(outcome.reply);
    EXPECT_EQ(parse_sync_message(*outcome.reply, width), SyncMessage(RepairRequest{5, 2, 0, 0}));
    auto request = std::get<RepairRequest>(*parse_sync_message(*outcome.reply, width));
    auto repair = pair.writer.publisher.repair(0, request, pair.now);
    EXPECT_EQ(repair.size(), 2u);
    EXPECT_TRUE(pair.writer.publisher.repair(0, request, pair.now).empty()) << "too soon";
    for (const Bytes& bytes : repair) pair.receive(bytes);
    EXPECT_TRUE(pair.replica.is_current(1));
    EXPECT_EQ(pair.tree.content(1).prefixes, 4u);
}

TEST(Sync, ARequestForAnEarlierLifeGetsASnapshotWhateverItsNumber) {
    Pair pair;
    pair.use({1, 2});
    pair.writer.publisher.deltas();
    EXPECT_EQ(pair.writer.publisher.repair(0, RepairRequest{4, 900, 0, 0}, pair.now).size(), 1u);
    EXPECT_TRUE(pair.writer.publisher.repair(1, RepairRequest{5, 900, 0, 0}, pair.now).empty()) << "not of this life";
}

TEST(Sync, PeerSpeaksOfItselfAlone) {
    Pair pair;
    pair.tree.insert(Hashes{1, 2, 3}, 0);
    PrefixKey two = PrefixKey{}.child(1).child(2);
    Delta lie{.incarnation = 1,
              .sequence = 1,
              .load = {},
              .content = {},
              .array = {},
              .changes = {{PathChange::Kind::remove, two, {3}}, {PathChange::Kind::insert, {}, {1}}}};
    pair.receive(encode(lie, width));
    EXPECT_TRUE(pair.tree.holds(two.child(3), 0));
    EXPECT_TRUE(pair.tree.holds(PrefixKey{}.child(1), 1));
    pair.receive(encode(Leave{1}, width));
    EXPECT_EQ(pair.tree.content(0).prefixes, 3u);
    EXPECT_EQ(pair.tree.content(1).prefixes, 0u);
}

TEST(Sync, LeavingIsForALife) {
    Pair pair;
    pair.use({1});
    Bytes late = pair.writer.publisher.deltas().at(0);
    EXPECT_TRUE(pair.receive(pair.writer.publisher.leave()).left);
    pair.receive(late);
    EXPECT_EQ(pair.tree.content(1).prefixes, 0u);
    EXPECT_FALSE(pair.replica.is_current(1));
    pair.receive(
        encode(Delta{.incarnation = 6, .sequence = 1, .load = {}, .content = {}, .array = {}, .changes = {}}, width));
    EXPECT_TRUE(pair.replica.is_current(1));
}

TEST(Sync, BudgetHoldsAgainstALiar) {
    Pair pair;
    pair.tree.set_budget(1, 10);
    for (ChunkHash i = 0; i < 50; ++i) pair.use({i});
    auto outcome = pair.receive(pair.writer.publisher.deltas().at(0));
    EXPECT_EQ(pair.tree.content(1).prefixes, 10u);
    EXPECT_TRUE(outcome.reply) << "its content differs from what it says";
    pair.now += 100ms;
    EXPECT_FALSE(pair.replica.on_timer(1, pair.now)) << "not at once again";
}

TEST(Sync, UrgentWhenTheLoadMoves) {
    Pair pair;
    Publisher& publisher = pair.writer.publisher;
    EXPECT_FALSE(publisher.urgent());
    publisher.set_load({1000, 1, 1, 0, 0});
    EXPECT_TRUE(publisher.urgent());
    publisher.deltas();
    EXPECT_FALSE(publisher.urgent());
    publisher.set_load({1400, 1, 1, 0, 0});
    EXPECT_FALSE(publisher.urgent());
    publisher.set_load({1000, 0, 1, 0, 0});
    EXPECT_TRUE(publisher.urgent());
    publisher.set_load({1000, 1, 1, 200, 1000});
    publisher.deltas();
    publisher.set_load({1000, 1, 1, 400, 1000});
    EXPECT_FALSE(publisher.urgent()) << "0.2 s more to wait matter little";
    publisher.set_load({1000, 1, 1, 500, 1000});
    EXPECT_TRUE(publisher.urgent());
}

TEST(Sync, MemoryOfTheLogIsBounded) {
    Pair pair({.message_bytes = 1000, .kept_bytes = 5000, .pending_bytes = 20'000});
    for (ChunkHash i = 0; i < 20'000; ++i) {
        pair.use({i, i + 1, i + 2});
        if (i % 100 == 0) {
            for (const Bytes& bytes : pair.writer.publisher.deltas()) EXPECT_LE(bytes.size(), 1000u);
        }
        EXPECT_LE(pair.writer.publisher.kept_bytes(), 5000u);
    }
}

TEST(SyncMessages, SurviveEncoding) {
    Delta delta{7, 9, {1, 2, 3, 4, 5}, HrTree::Content{6, 7}, ArrayStance{{2, {100, 16}, 64, 9}, {100, 300}}, {}};
    delta.changes = {{PathChange::Kind::insert, {5}, {1, 2}}, {PathChange::Kind::remove, {6}, {0xff}}};
    SnapshotPart part{1, 2, 3, 4, {5, 6}, {}, {{PathChange::Kind::insert, {}, {1}}}};
    for (HashWidth any : {HashWidth::bits8, HashWidth::bits16, HashWidth::bits32})
        for (const SyncMessage& message :
             {SyncMessage(delta), SyncMessage(part), SyncMessage(RepairRequest{1, 2, 3, 4}), SyncMessage(Leave{1})}) {
            Bytes bytes = encode(message, any);
            auto parsed = parse_sync_message(bytes, any);
            ASSERT_TRUE(parsed);
            EXPECT_EQ(*parsed, message);
            for (std::size_t size = 0; size < bytes.size(); ++size)
                EXPECT_FALSE(parse_sync_message(ByteView(bytes).first(size), any));
            bytes.push_back(0);
            EXPECT_FALSE(parse_sync_message(bytes, any));
        }
    EXPECT_FALSE(parse_sync_message(encode(delta, HashWidth::bits8), HashWidth::bits16));
    EXPECT_FALSE(parse_sync_message(Bytes(maximum_sync_message + 1), HashWidth::bits16));
    for (const BoundaryVotes& bad :
         {BoundaryVotes{0}, BoundaryVotes{5, 5}, BoundaryVotes{(1 << 20) + 1}, BoundaryVotes(maximum_votes + 1, 7)}) {
        delta.array->votes = bad;
        EXPECT_FALSE(parse_sync_message(encode(delta, HashWidth::bits8), HashWidth::bits8));
    }
}

}  // namespace
}  // namespace planetserve::routing
