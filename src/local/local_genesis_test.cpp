#include "local/local_genesis.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/files.h"
#include "committee/genesis.h"

namespace planetserve::local {
namespace {

namespace fs = std::filesystem;

class LocalGenesis : public testing::Test {
protected:
    LocalGenesis() : home_(fs::temp_directory_path() / ("planetserve-genesis-" + std::to_string(getpid()))) {}
    ~LocalGenesis() override { fs::remove_all(home_.path()); }

    committee::Genesis made() const { return committee::Genesis::parse(*read_file(home_.genesis())).value(); }

    NetworkHome home_;
};

TEST_F(LocalGenesis, OfOneVerificationNodeIsNoCommittee) {
    ASSERT_TRUE(ensure_local_genesis(home_, {0, {{"verifier-1", "verifier"}, {"user-1", "user"}}}, std::nullopt));
    const auto genesis = made();
    ASSERT_EQ(genesis.validators.size(), 1U);
    EXPECT_FALSE(genesis.is_committee());
    EXPECT_FALSE(genesis.parameters.verification);
    EXPECT_FALSE(fs::exists(home_.config("user-1")));
    auto config = read_file(home_.config("verifier-1"));
    ASSERT_TRUE(config);
    EXPECT_NE(config->find("listen: \"" + genesis.validators[0].address.to_string() + "\""), std::string::npos);
}

TEST_F(LocalGenesis, OfSeveralIsACommitteeAndStays) {
    const NetworkFile network{0, {{"verifier-1", "verifier"}, {"verifier-2", "verifier"}}};
    const LocalVerification verification{verification_of_epoch(60), {"m"}};
    ASSERT_TRUE(ensure_local_genesis(home_, network, verification));
    const auto genesis = made();
    EXPECT_TRUE(genesis.is_committee());
    ASSERT_TRUE(genesis.parameters.verification);
    EXPECT_EQ(genesis.parameters.verification->epoch_ms, 60'000);
    ASSERT_TRUE(ensure_local_genesis(home_, network, std::nullopt));
    EXPECT_EQ(made().network(), genesis.network()) << "a genesis is made once";
}

TEST(VerificationOfEpoch, PhasesFitIntoTheEpoch) {
    for (std::uint32_t seconds : {10U, 60U, 599U, 600U, 86'400U}) {
        const auto parameters = verification_of_epoch(seconds);
        EXPECT_EQ(parameters.epoch_ms, std::int64_t{seconds} * 1000);
        EXPECT_LE(parameters.draw_ms + parameters.leaders * parameters.leader_ms + parameters.recheck_ms +
                      parameters.commit_ms + parameters.reveal_ms,
                  parameters.epoch_ms)
            << seconds;
    }
}

}  // namespace
}  // namespace planetserve::local
