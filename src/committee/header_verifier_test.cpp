// Headers of a committee: what a client takes of them, and what it does not.

#include "committee/header_verifier.h"

#include <gtest/gtest.h>

#include "committee/committee.pb.h"
#include "lightclient/light_block_fixture.h"

namespace planetserve::committee {
namespace {

class HeaderVerifierTest : public testing::Test {
protected:
    HeaderVerifierTest() : committee_(lightclient::Committee::make(random_, 4, 1)), genesis_(genesis_of(committee_)) {
        maker_.chain_id = genesis_.consensus_chain_id();
    }
    static Genesis genesis_of(const lightclient::Committee& committee) {
        Genesis genesis{"test", UnixTime{1'600'000'000'000}, {}, {}};
        for (std::size_t i = 0; i < committee.identities.size(); ++i) {
            Endpoint address{"127.0.0.1", static_cast<std::uint16_t>(7000 + i)};
            genesis.validators.push_back(
                {"v", committee.identities[i].id(), static_cast<std::uint64_t>(committee.powers[i]), address, address});
        }
        return genesis;
    }
    // The header of a state whose hash stands in a block of that height.
    StateHeader header(std::int64_t height, std::size_t signers = 4, std::string_view text = {}) const {
        return header_of(maker_.make(height, committee_, committee_, text, signers));
    }
    static StateHeader header_of(const lightclient::LightBlock& block) {
        StateHeader header{block.header.height, block.header.time.to_unix_time(), {}, {}, lightclient::encode(block)};
        std::ranges::copy(block.header.app_hash, header.app_hash.begin());
        return header;
    }
    UnixTime now(std::int64_t height) const { return maker_.time(height).to_unix_time() + 1s; }

    SeededRandom random_{77};
    lightclient::Committee committee_;
    Genesis genesis_;
    lightclient::BlockMaker maker_;
};

TEST_F(HeaderVerifierTest, TakesWhatMoreThanTwoThirdsSignedAndOnlyForwards) {
    HeaderVerifier verifier(genesis_);
    EXPECT_FALSE(verifier.verify(header(5, 2), now(5))) << "half of the power";
    EXPECT_TRUE(verifier.verify(header(5, 3), now(5)));
    EXPECT_TRUE(verifier.verify(header(5, 4), now(5))) << "the same block, with another vote";
    EXPECT_TRUE(verifier.verify(header(900), now(900)));
    auto older = verifier.verify(header(899), now(900));
    ASSERT_FALSE(older);
    EXPECT_NE(older.error().message.find("below"), std::string::npos) << older.error().message;
    EXPECT_FALSE(verifier.verify(header(900, 4, "another"), now(900))) << "two lists of one height";
}

TEST_F(HeaderVerifierTest, RefusesWhatIsNotThatCommittees) {
    HeaderVerifier verifier(genesis_);
    auto strangers = lightclient::Committee::make(random_, 4, 1);
    EXPECT_FALSE(verifier.verify(header_of(maker_.make(5, strangers, strangers)), now(5)));
    auto elsewhere = maker_;
    elsewhere.chain_id = genesis_of(strangers).consensus_chain_id();
    EXPECT_FALSE(verifier.verify(header_of(elsewhere.make(5, committee_, committee_)), now(5)));
    EXPECT_FALSE(verifier.verify(header(5), now(5) + std::chrono::minutes(-10))) << "of a time to come";
    // Signatures over a state alone, as a single validator makes them, count for nothing.
    StateHeader alone = header(5);
    alone.light_block.clear();
    for (const auto& identity : committee_.identities)
        alone.signatures.push_back(sign_header(alone, genesis_.network(), identity));
    EXPECT_FALSE(verifier.verify(alone, now(5)));
}

TEST_F(HeaderVerifierTest, AHeaderSaysWhatItsBlockSays) {
    for (int fault = 0; fault < 3; ++fault) {
        HeaderVerifier verifier(genesis_);
        StateHeader wrong = header(5);
        if (fault == 0) wrong.height += 1;
        if (fault == 1) wrong.time.milliseconds += 1;
        if (fault == 2) wrong.app_hash[7] ^= 1;
        EXPECT_FALSE(verifier.verify(wrong, now(5))) << fault;
        EXPECT_FALSE(verifier.adopt(wrong)) << fault;
    }
}

TEST_F(HeaderVerifierTest, ComesBackAfterALongSleepWithTheGenesisAndNotToWhatItKnewBefore) {
    HeaderVerifier verifier(genesis_);
    ASSERT_TRUE(verifier.verify(header(5), now(5)));
    std::int64_t later = 5 + 8 * 86'400;
    EXPECT_FALSE(verifier.verify(header(6), now(later))) << "too old to begin with";
    EXPECT_TRUE(verifier.verify(header(later), now(later)));
    EXPECT_FALSE(verifier.verify(header(later - 1), now(later)));
}

TEST_F(HeaderVerifierTest, AKeptHeaderIsTakenHoweverOldAndBoundsWhatComesAfter) {
    HeaderVerifier verifier(genesis_);
    ASSERT_TRUE(verifier.adopt(header(50)));
    EXPECT_FALSE(verifier.verify(header(49), now(60)));
    EXPECT_TRUE(verifier.verify(header(60), now(60)));
    HeaderVerifier other(genesis_);
    auto strangers = lightclient::Committee::make(random_, 4, 1);
    EXPECT_FALSE(other.adopt(header_of(maker_.make(50, strangers, strangers))));
    EXPECT_FALSE(other.adopt(header(50, 2)));
}

TEST_F(HeaderVerifierTest, TravelsAsItIsAndWithinLimits) {
    proto::StateHeader message;
    to_proto(header(5), message);
    auto back = from_proto(message);
    ASSERT_TRUE(back);
    HeaderVerifier verifier(genesis_);
    EXPECT_TRUE(verifier.verify(*back, now(5)));
    message.set_light_block(std::string(lightclient::maximum_light_block_size + 1, 'x'));
    EXPECT_FALSE(from_proto(message));
    message.set_light_block("rubbish");
    EXPECT_FALSE(verifier.verify(from_proto(message).value(), now(5)));
}

TEST_F(HeaderVerifierTest, AGenesisOfSeveralNamesAConsensusAddressOfEach) {
    EXPECT_TRUE(Genesis::parse(genesis_.to_json()));
    EXPECT_EQ(Genesis::parse(genesis_.to_json())->consensus_chain_id(), genesis_.consensus_chain_id());
    EXPECT_LE(genesis_.consensus_chain_id().size(), lightclient::maximum_chain_id_size);
    auto lacking = genesis_;
    lacking.validators[2].consensus_address.reset();
    EXPECT_NE(Genesis::parse(lacking.to_json()).error().message.find("'consensus_address'"), std::string::npos);
    auto twice = genesis_;
    twice.validators[2].consensus_address = twice.validators[1].consensus_address;
    EXPECT_FALSE(Genesis::parse(twice.to_json()));
}

}  // namespace
}  // namespace planetserve::committee
