#include "committee/audit.h"

#include "committee/verified_network_fixture.h"
#include "lightclient/light_block_fixture.h"

namespace planetserve::committee {
namespace {

class AuditTest : public Verified {
protected:
    AuditTest() : registry_(genesis_), audit_(Audit::begin(genesis_).value()) {
        block(registry_, 1'000'100,
              {sign(make_register(node_.descriptor, genesis_.network(), 1'000'100, node_.identity), node_.identity)});
    }

    // A recorded block as the committee's chain would have it, signed by the first so many.
    lightclient::LightBlock signed_block(std::size_t index, std::size_t signers = 4) const {
        const lightclient::Committee committee{verifiers_, {1, 1, 1, 1}};
        const lightclient::BlockMaker maker{.chain_id = genesis_.consensus_chain_id()};
        auto block = maker.make(static_cast<std::int64_t>(index) + 1, committee, committee);
        block.header.app_hash = to_bytes(ByteView(blocks_[index].app_hash));
        block.header.time = lightclient::Timestamp::from(blocks_[index].time);
        lightclient::sign_all(block, committee, signers);
        return block;
    }
    Result<BlockFindings> add(std::size_t index, const lightclient::LightBlock& block) {
        return audit_.add(block, blocks_[index].transactions, blocks_.back().time);
    }
    // What the audit finds in all recorded blocks.
    std::vector<BlockFindings> replay() {
        std::vector<BlockFindings> all;
        for (std::size_t i = 0; i < blocks_.size(); ++i) {
            auto findings = add(i, signed_block(i));
            EXPECT_TRUE(findings) << findings.error().message;
            if (!findings) break;
            all.push_back(std::move(*findings));
        }
        return all;
    }

    Member node_ = make_member(random_, wire::Role::model);
    Registry registry_;
    Audit audit_;
};

TEST_F(AuditTest, SaysWhichVotesChangedAReputation) {
    judge(registry_, node_.identity.id(), 0);
    judge(registry_, node_.identity.id(), verification::one);
    std::vector<ReputationChange> changes;
    for (const auto& findings : replay()) {
        EXPECT_TRUE(findings.equivocations.empty());
        changes.insert(changes.end(), findings.changes.begin(), findings.changes.end());
    }
    const auto& state = *registry_.verification();
    ASSERT_EQ(changes.size(), 2U);
    EXPECT_EQ(changes[0].node, node_.identity.id());
    EXPECT_EQ(changes[0].before, state.parameters().initial);
    EXPECT_LT(changes[0].after, changes[0].before);
    EXPECT_FALSE(changes[0].trusted);
    EXPECT_EQ(changes[1].before, changes[0].after);
    EXPECT_EQ(changes[1].after, state.reputation(node_.identity.id()));
    EXPECT_GT(changes[1].epoch, changes[0].epoch);
    for (const auto& change : changes) {
        ASSERT_EQ(change.votes.size(), verifiers_.size());
        for (const auto& vote : change.votes) EXPECT_EQ(vote.outcome, verification::Outcome::credit);
    }
    EXPECT_EQ(audit_.registry().app_hash(), registry_.app_hash());
}

TEST_F(AuditTest, NamesAVerificationNodeThatContradictsItself) {
    const auto begin =
        registry_.verification()->schedule().begin(registry_.verification()->epoch().number + 1).milliseconds;
    block(registry_, begin);
    const crypto::Identity& liar = verifiers_[0];
    block(registry_, begin + 500,
          {signed_word(
              liar,
              verification::Draw{crypto::vrf_prove(liar, registry_.verification()->alpha(verification::Purpose::draw))},
              registry_)});
    block(registry_, begin + 2'100);
    verification::Report report{
        crypto::vrf_prove(liar, registry_.verification()->alpha(verification::Purpose::plan)), {}, {}};
    block(registry_, begin + 2'200, {signed_word(liar, report, registry_)});
    report.transcript.fill(1);
    block(registry_, begin + 2'300, {signed_word(liar, report, registry_)});
    const auto all = replay();
    ASSERT_EQ(all.size(), blocks_.size());
    ASSERT_EQ(all.back().equivocations.size(), 1U);
    EXPECT_EQ(all.back().equivocations[0].verifier, liar.id());
    EXPECT_EQ(all.back().equivocations[0].epoch, registry_.verification()->epoch().number);
    EXPECT_EQ(all.back().height, static_cast<std::int64_t>(blocks_.size()));
}

TEST_F(AuditTest, RefusesABlockThatTheCommitteeDidNotSign) {
    auto refused = add(0, signed_block(0, 2));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::authentication);
    EXPECT_NE(refused.error().message.find("block 1: "), std::string::npos) << refused.error().message;
    EXPECT_TRUE(add(0, signed_block(0, 3)));
}

TEST_F(AuditTest, RefusesABlockOfAnotherHeight) {
    block(registry_, 1'000'200);
    auto skipped = add(1, signed_block(1));
    ASSERT_FALSE(skipped);
    EXPECT_EQ(skipped.error().message, "block 2: the block after 0 was asked for");
    ASSERT_TRUE(add(0, signed_block(0)));
    EXPECT_FALSE(add(0, signed_block(0)));
    EXPECT_TRUE(add(1, signed_block(1)));
}

TEST_F(AuditTest, RefusesAChainThatLeavesOutATransaction) {
    block(registry_, 1'000'200);
    ASSERT_FALSE(blocks_[0].transactions.empty());
    blocks_[0].transactions.clear();
    ASSERT_TRUE(add(0, signed_block(0)));
    auto refused = add(1, signed_block(1));
    ASSERT_FALSE(refused);
    EXPECT_NE(refused.error().message.find("another hash"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace planetserve::committee
