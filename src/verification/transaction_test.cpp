#include <gtest/gtest.h>

#include "verification/verification.pb.h"
#include "verification/verification_fixture.h"

namespace planetserve::verification {
namespace {

class VerificationTransaction : public testing::Test {
protected:
    Transaction with(auto body) { return {network_, identity_.id(), 42, std::move(body)}; }
    std::vector<NodeId> nodes(std::size_t count) {
        std::vector<NodeId> ids;
        for (std::size_t i = 0; i < count; ++i) ids.push_back(random_.id<NodeId>());
        std::ranges::sort(ids);
        return ids;
    }
    Reveal reveal(std::size_t count) {
        Reveal made{random_.id<Salt>(), {}};
        for (const NodeId& node : nodes(count)) made.scores.push_back({node, Outcome::credit, one});
        return made;
    }
    bool taken(const Transaction& transaction) { return parse_transaction(sign(transaction, identity_)).has_value(); }

    SeededRandom random_{6};
    crypto::Identity identity_ = crypto::Identity::generate(random_);
    wire::NetworkId network_ = random_.id<wire::NetworkId>();
};

TEST_F(VerificationTransaction, ComesBackAsItWas) {
    for (const Transaction& transaction :
         {with(Draw{random_.id<crypto::VrfProof>()}), with(Report{random_.id<crypto::VrfProof>(), {1, 2}, nodes(3)}),
          with(Recheck{nodes(2)}), with(Recheck{}), with(Commit{{9}}), with(reveal(5)), with(Reveal{})}) {
        auto parsed = parse_transaction(sign(transaction, identity_));
        ASSERT_TRUE(parsed) << parsed.error().message;
        EXPECT_EQ(*parsed, transaction);
    }
}

TEST_F(VerificationTransaction, NoBitCanBeChanged) {
    Bytes bytes = sign(with(reveal(3)), identity_);
    for (std::size_t bit = 0; bit < bytes.size() * 8; bit += 3) {
        Bytes changed = bytes;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1 << bit % 8);
        EXPECT_FALSE(parse_transaction(changed)) << bit;
    }
    for (std::size_t size = 0; size < bytes.size(); ++size)
        EXPECT_FALSE(parse_transaction(ByteView(bytes).first(size)));
}

TEST_F(VerificationTransaction, LimitsHold) {
    EXPECT_TRUE(taken(with(reveal(maximum_nodes_per_epoch)))) << "the largest fits";
    EXPECT_FALSE(taken(with(reveal(maximum_nodes_per_epoch + 1))));
    EXPECT_TRUE(taken(with(Report{{}, {}, nodes(maximum_nodes_per_epoch)})));
    EXPECT_FALSE(taken(with(Recheck{nodes(maximum_nodes_per_epoch + 1)})));
    auto unordered = nodes(2);
    std::swap(unordered[0], unordered[1]);
    EXPECT_FALSE(taken(with(Recheck{unordered})));
    EXPECT_FALSE(taken(with(Recheck{{unordered[0], unordered[0]}})));
    Reveal twice = reveal(1);
    twice.scores.push_back(twice.scores[0]);
    EXPECT_FALSE(taken(with(twice)));
    Reveal beyond = reveal(1);
    beyond.scores[0].credit = one + 1;
    EXPECT_FALSE(taken(with(beyond)));
    Reveal absent = reveal(1);
    absent.scores[0].outcome = Outcome::no_answer;
    EXPECT_FALSE(taken(with(absent))) << "a credit where there is no answer";
    absent.scores[0].outcome = static_cast<Outcome>(3);
    EXPECT_FALSE(taken(with(absent)));
    proto::Transaction empty;
    empty.set_network(to_string(network_.bytes()));
    empty.set_sender(to_string(identity_.id().bytes()));
    proto::SignedTransaction envelope;
    envelope.set_transaction(empty.SerializeAsString());
    envelope.set_signature(
        to_string(identity_.sign("planetserve verification v1", as_bytes(envelope.transaction())).bytes()));
    EXPECT_FALSE(parse_transaction(as_bytes(envelope.SerializeAsString())));
    EXPECT_FALSE(parse_transaction(Bytes(maximum_transaction_size + 1)));
}

// What a commitment is bound to.
TEST_F(VerificationTransaction, EverythingIsInACommitment) {
    Reveal first = reveal(2);
    crypto::Digest transcript{1}, other_transcript{2};
    std::set<crypto::Digest> digests;
    NodeId other = random_.id<NodeId>();
    digests.insert(commitment(network_, 1, identity_.id(), transcript, first));
    digests.insert(commitment(random_.id<wire::NetworkId>(), 1, identity_.id(), transcript, first));
    digests.insert(commitment(network_, 2, identity_.id(), transcript, first));
    digests.insert(commitment(network_, 1, other, transcript, first));
    digests.insert(commitment(network_, 1, identity_.id(), other_transcript, first));
    Reveal changed = first;
    changed.salt.value[31] ^= 1;
    digests.insert(commitment(network_, 1, identity_.id(), transcript, changed));
    changed = first;
    changed.scores[1].credit -= 1;
    digests.insert(commitment(network_, 1, identity_.id(), transcript, changed));
    changed = first;
    changed.scores[1] = {changed.scores[1].node, Outcome::no_answer, 0};
    digests.insert(commitment(network_, 1, identity_.id(), transcript, changed));
    changed.scores.pop_back();
    digests.insert(commitment(network_, 1, identity_.id(), transcript, changed));
    EXPECT_EQ(digests.size(), 9u);
}

}  // namespace
}  // namespace planetserve::verification
