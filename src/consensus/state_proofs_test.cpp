#include "consensus/state_proofs.h"

#include <gtest/gtest.h>

#include "committee/committee_fixture.h"
#include "lightclient/light_block_fixture.h"

namespace planetserve::consensus {
namespace {

class StateProofsTest : public testing::Test {
protected:
    StateProofsTest() : registry_(genesis_) {
        genesis_.parameters.update_interval_ms = 0;
        registry_ = committee::Registry(genesis_);
    }
    // A block that registers so many new members.
    void apply(std::size_t members, bool large = false) {
        registry_.begin_block(registry_.height() + 1, UnixTime{2'000'000 + registry_.height()});
        for (std::size_t i = 0; i < members; ++i) {
            auto member = large ? committee::make_large_member(random_) : committee::make_member(random_);
            ASSERT_TRUE(registry_.apply(
                committee::make_register(member.descriptor, genesis_.network(), 2'000'000, member.identity)));
        }
        registry_.commit();
    }
    lightclient::LightBlock block(std::int64_t height) const {
        auto made = maker_.make(height, validators_, validators_);
        made.header.app_hash = to_bytes(ByteView(registry_.app_hash()));
        return made;
    }

    SeededRandom random_{5};
    committee::Genesis genesis_{"test", UnixTime{1}, {}, {}};
    committee::Registry registry_;
    lightclient::Committee validators_ = lightclient::Committee::make(random_, 4);
    lightclient::BlockMaker maker_;
    StateProofs proofs_;
};

TEST_F(StateProofsTest, TheNextBlocksHeaderProvesAState) {
    apply(2);
    auto second = block(2);
    proofs_.on_decided(2, registry_, Time{});
    EXPECT_FALSE(proofs_.header());
    Bytes state = registry_.serialise();
    apply(1);  // the registry changes before the header comes
    proofs_.on_block(second);
    ASSERT_TRUE(proofs_.header());
    EXPECT_EQ(proofs_.header()->height, 2);
    EXPECT_EQ(proofs_.state(), state);
    EXPECT_EQ(committee::parse_state(state)->app_hash, proofs_.header()->app_hash);
    // At rest, later headers prove the same state again; earlier ones have no effect.
    auto third = block(3);
    proofs_.on_decided(3, registry_, Time{});
    proofs_.on_block(third);
    EXPECT_EQ(proofs_.header()->height, 3);
    proofs_.on_block(block(4));
    EXPECT_EQ(proofs_.header()->height, 4);
    EXPECT_EQ(proofs_.state(), registry_.serialise());
    proofs_.on_block(second);
    EXPECT_EQ(proofs_.header()->height, 4);
}

TEST_F(StateProofsTest, AHeaderOfAnotherStateProvesNothing) {
    apply(1);
    proofs_.on_decided(2, registry_, Time{});
    auto other = block(2);
    other.header.app_hash[0] ^= 1;
    proofs_.on_block(other);
    EXPECT_FALSE(proofs_.header());
    proofs_.on_block(block(7));
    EXPECT_FALSE(proofs_.header()) << "nobody said that block 7 proves this state";
    proofs_.on_block(block(2));
    EXPECT_TRUE(proofs_.header());
}

TEST_F(StateProofsTest, WhenHeadersDoNotComeOnlyTheNewestStatesWait) {
    std::vector<lightclient::LightBlock> blocks;
    for (std::int64_t height = 2; height < 12; ++height) {
        apply(1);
        blocks.push_back(block(height));
        proofs_.on_decided(height, registry_, Time{});
    }
    proofs_.on_block(blocks[0]);
    EXPECT_FALSE(proofs_.header()) << "given up";
    proofs_.on_block(blocks[9]);
    EXPECT_EQ(proofs_.header()->height, 11);
}

TEST_F(StateProofsTest, ALargeStateIsTakenOnceASecond) {
    apply(80, true);
    proofs_.on_decided(2, registry_, Time{});
    proofs_.on_block(block(2));
    ASSERT_TRUE(proofs_.header());
    apply(1);
    proofs_.on_decided(3, registry_, Time{500ms});
    proofs_.on_block(block(3));
    EXPECT_EQ(proofs_.header()->height, 2);
    proofs_.on_decided(4, registry_, Time{1s});
    proofs_.on_block(block(4));
    EXPECT_EQ(proofs_.header()->height, 4);
}

}  // namespace
}  // namespace planetserve::consensus
