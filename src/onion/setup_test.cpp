#include "onion/setup.h"

#include <gtest/gtest.h>

namespace planetserve::onion {
namespace {

struct Node {
    NodeId id;
    crypto::AgreementKey key;
};

std::vector<Node> make_nodes(std::size_t count, Random& random) {
    std::vector<Node> nodes;
    for (std::size_t i = 0; i < count; ++i)
        nodes.push_back({random.id<NodeId>(), crypto::AgreementKey::generate(random)});
    return nodes;
}

std::vector<SetupHop> hops_of(const std::vector<Node>& nodes) {
    std::vector<SetupHop> hops;
    for (const Node& node : nodes) hops.push_back({node.id, node.key.public_key()});
    return hops;
}

TEST(Setup, EveryLengthArrivesAtItsLastHop) {
    SeededRandom random(1);
    for (std::size_t length = 1; length <= wire::maximum_path_length; ++length) {
        auto nodes = make_nodes(length, random);
        auto built = build_setup(hops_of(nodes), 1234, random);
        ASSERT_TRUE(built) << built.error().message;
        SetupPacket packet = built->packet;
        for (std::size_t i = 0; i < length; ++i) {
            auto peeled = peel_setup(packet, nodes[i].id, nodes[i].key);
            ASSERT_TRUE(peeled) << "length " << length << " hop " << i << ": " << peeled.error().message;
            EXPECT_EQ(peeled->keys.forward, built->keys[i].forward);
            EXPECT_EQ(peeled->keys.backward, built->keys[i].backward);
            EXPECT_EQ(peeled->expiry, 1234u);
            EXPECT_EQ(peeled->last, i + 1 == length);
            if (!peeled->last) {
                EXPECT_EQ(peeled->next, nodes[i + 1].id);
            }
            packet = peeled->packet;
        }
    }
}

TEST(Setup, ChangingAnyByteIsNoticedAtTheNextHop) {
    SeededRandom random(2);
    auto nodes = make_nodes(3, random);
    auto built = build_setup(hops_of(nodes), 1, random).value();
    for (std::size_t i = 0; i < built.packet.size(); ++i) {
        SetupPacket changed = built.packet;
        changed[i] ^= 0x40;
        EXPECT_FALSE(peel_setup(changed, nodes[0].id, nodes[0].key)) << "byte " << i;
    }
    auto second = peel_setup(built.packet, nodes[0].id, nodes[0].key).value().packet;
    second.back() ^= 1;
    EXPECT_FALSE(peel_setup(second, nodes[1].id, nodes[1].key));
}

TEST(Setup, IsOnlyForTheNodeItNames) {
    SeededRandom random(3);
    auto nodes = make_nodes(2, random);
    auto built = build_setup(hops_of(nodes), 1, random).value();
    EXPECT_FALSE(peel_setup(built.packet, nodes[1].id, nodes[1].key));
    EXPECT_FALSE(peel_setup(built.packet, nodes[1].id, nodes[0].key));
}

TEST(Setup, PacketsOfOneHopAndOfEightLookAlike) {
    // No position has a byte that is the same more often than chance would have it, whatever the length.
    SeededRandom random(4);
    for (std::size_t length : {std::size_t{1}, std::size_t{8}}) {
        std::vector<std::array<int, 256>> counts(wire::setup_packet_size);
        const int samples = 256;
        for (int sample = 0; sample < samples; ++sample) {
            auto nodes = make_nodes(length, random);
            auto built = build_setup(hops_of(nodes), 1, random).value();
            for (std::size_t i = 0; i < built.packet.size(); ++i) ++counts[i][built.packet[i]];
        }
        for (std::size_t i = 0; i < counts.size(); ++i)
            for (int count : counts[i]) EXPECT_LT(count, 20) << "byte " << i << " of paths of length " << length;
    }
}

TEST(Setup, RefusesPathsThatCannotBe) {
    SeededRandom random(5);
    auto nodes = make_nodes(9, random);
    EXPECT_FALSE(build_setup({}, 1, random));
    EXPECT_FALSE(build_setup(hops_of(nodes), 1, random));
    nodes.erase(nodes.begin() + 3, nodes.end());
    nodes[2] = nodes[0];
    EXPECT_FALSE(build_setup(hops_of(nodes), 1, random));
    nodes.erase(nodes.begin() + 1, nodes.end());
    EXPECT_FALSE(build_setup(std::vector<SetupHop>{{nodes[0].id, {}}}, 1, random));
    EXPECT_FALSE(peel_setup(Bytes(10), nodes[0].id, nodes[0].key));
}

}  // namespace
}  // namespace planetserve::onion
