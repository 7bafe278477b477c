// Compares the bytes that are hashed, signed and sent with CometBFT's.
#include <gtest/gtest.h>

#include <fstream>

#include "lightclient/light_block_fixture.h"
#include "lightclient/verify.h"

namespace planetserve::lightclient {
namespace {

Bytes digest(std::string_view of) { return to_bytes(ByteView(crypto::sha256(as_bytes(of)))); }

std::string read(const std::string& name) {
    std::ifstream stream(PLANETSERVE_SOURCE_DIR "/tests/vectors/lightclient/" + name);
    return {std::istreambuf_iterator(stream), {}};
}

Header header_of_comets_test() {
    Header header;
    header.block_version = 1;
    header.app_version = 2;
    header.chain_id = "chainId";
    header.height = 3;
    header.time = {1'570'983'284, 0};  // 2019-10-13T16:14:44Z
    header.last_block_id = {Bytes(32, 0), 6, Bytes(32, 0)};
    header.last_commit_hash = digest("last_commit_hash");
    header.data_hash = digest("data_hash");
    header.validators_hash = digest("validators_hash");
    header.next_validators_hash = digest("next_validators_hash");
    header.consensus_hash = digest("consensus_hash");
    header.app_hash = digest("app_hash");
    header.last_results_hash = digest("last_results_hash");
    header.evidence_hash = digest("evidence_hash");
    header.proposer = *Address::from(ByteView(digest("proposer_address")).first(20));
    return header;
}

// CometBFT v0.38, types/block_test.go, TestHeaderHash.
TEST(Encoding, HeaderHash) {
    Header header = header_of_comets_test();
    EXPECT_EQ(to_hex(hash(header)), "f740121f553b5418c3efbd343c2dbfe9e007bb67b0d020a0741374bab65242a4");
    header.block_version = block_version;
    EXPECT_TRUE(check(header));
    header.validators_hash.clear();  // Go gives no hash to a header without one
    EXPECT_FALSE(check(header));
}

// CometBFT v0.38, types/vote_test.go, TestVoteSignBytesTestVectors. The time is Go's zero time.
TEST(Encoding, VoteSignBytes) {
    struct Case {
        std::string_view chain_id;
        VoteType type;
        std::int64_t height;
        std::int32_t round;
        std::string_view expected;
    };
    const Case cases[] = {
        {"", VoteType::unknown, 0, 0, "0d2a0b088092b8c398feffffff01"},
        {"", VoteType::precommit, 1, 1,
         "210802110100000000000000190100000000000000"
         "2a0b088092b8c398feffffff01"},
        {"", VoteType::prevote, 1, 1,
         "210801110100000000000000190100000000000000"
         "2a0b088092b8c398feffffff01"},
        {"", VoteType::unknown, 1, 1,
         "1f110100000000000000190100000000000000"
         "2a0b088092b8c398feffffff01"},
        {"test_chain_id", VoteType::unknown, 1, 1,
         "2e110100000000000000190100000000000000"
         "2a0b088092b8c398feffffff01"
         "320d746573745f636861696e5f6964"},
    };
    for (const Case& item : cases) {
        Vote vote{item.type, item.height, item.round, std::nullopt, Timestamp::zero_in_go()};
        EXPECT_EQ(to_hex(sign_bytes(vote, item.chain_id)), item.expected);
    }
}

// CometBFT's Go code encoded this block of height 7 and round 2. Of its five validators, one voted for no block and one
// did not vote.
TEST(Encoding, ALightBlockAsGoWritesIt) {
    std::string text = read("light_block.hex");
    Bytes bytes = from_hex(text.substr(0, text.find('\n'))).value();
    auto block = parse_light_block(bytes);
    ASSERT_TRUE(block) << block.error().message;
    EXPECT_EQ(to_hex(hash(block->header)), "3422f4195ed1c59f8f05c8567dd1f9fd41830d0043ad997207aff072d446c0c9");
    EXPECT_EQ(block->header.time, (Timestamp{1'795'608'000, 123'456'789}));
    EXPECT_EQ(block->commit.signatures[3].flag, BlockIdFlag::absent);
    EXPECT_EQ(block->commit.signatures[3].time, Timestamp::zero_in_go());
    EXPECT_EQ(block->commit.signatures[4].flag, BlockIdFlag::nil);
    EXPECT_EQ(block->validators.total_power(), 71);
    EXPECT_TRUE(check_consistency(*block));
    EXPECT_TRUE(SignatureCount(*block).more_than({2, 3}, block->validators, Reason::invalid));
    // The validator signed that it votes for no block.
    EXPECT_TRUE(crypto::verify_raw(block->validators.validators()[4].key, sign_bytes(block->commit, 4, "go-chain"),
                                   block->commit.signatures[4].signature));
    auto again = parse_light_block(encode(*block));
    ASSERT_TRUE(again);
    EXPECT_EQ(*again, *block);
    // Validators differ from Go's bytes: encode() leaves out the proposer, the priorities and the total.
    Bytes ours = encode(*block);
    std::size_t signed_header =
        3 + (static_cast<std::size_t>(bytes[1] & 0x7f) | static_cast<std::size_t>(bytes[2]) << 7);
    EXPECT_EQ(to_hex(ByteView(ours).first(signed_header)), to_hex(ByteView(bytes).first(signed_header)));
}

// The answer of a v0.38 node: its app hash has 8 bytes, its times have nanoseconds.
TEST(Encoding, AHeaderOfANodesRpc) {
    auto json = boost::json::parse(read("commit_at_height_10.json")).at("result").at("signed_header");
    Header header = header_from_json(json.at("header"));
    Commit commit = commit_from_json(json.at("commit"));
    EXPECT_TRUE(check(header));
    EXPECT_EQ(to_bytes(ByteView(hash(header))), commit.block_id.hash);
}

TEST(Encoding, TimesOnBothSidesOf1970) {
    EXPECT_EQ(Timestamp::from({1'500}), (Timestamp{1, 500'000'000}));
    EXPECT_EQ(Timestamp::from({-1'500}), (Timestamp{-2, 500'000'000}));
    for (std::int64_t ms : {-1'500, -1'000, -1, 0, 1, 999, 1'000})
        EXPECT_EQ(Timestamp::from({ms}).to_unix_time().milliseconds, ms);
    EXPECT_EQ((Timestamp{5, 999'999'999} + 1ns), (Timestamp{6, 0}));
    EXPECT_EQ((Timestamp{5, 0} + -1ns), (Timestamp{4, 999'999'999}));
    EXPECT_EQ((Timestamp{Timestamp::latest_seconds, 0} + 2s).seconds, Timestamp::latest_seconds);
    EXPECT_EQ((Timestamp::zero_in_go() + -2s), Timestamp::zero_in_go());
}

TEST(Validators, AreInCometsOrderAndWithinTheirLimits) {
    SeededRandom random(3);
    Committee committee = Committee::make(random, 5);
    committee.powers = {10, 30, 20, 10, 1};
    ValidatorSet set = committee.set();
    for (std::size_t i = 1; i < set.size(); ++i) {
        const auto &before = set.validators()[i - 1], &after = set.validators()[i];
        EXPECT_TRUE(before.power > after.power || (before.power == after.power && set.address(i - 1) < set.address(i)));
    }
    for (std::size_t i = 0; i < set.size(); ++i) EXPECT_EQ(set.find(set.address(i)), i);
    EXPECT_FALSE(set.find(Address{}));

    auto with = [&](std::int64_t power) {
        auto validators = set.validators();
        validators[0].power = power;
        return ValidatorSet::make(validators).has_value();
    };
    EXPECT_TRUE(with(ValidatorSet::maximum_power - 41));
    EXPECT_FALSE(with(ValidatorSet::maximum_power - 40));
    EXPECT_FALSE(with(INT64_MAX));
    EXPECT_FALSE(with(0));
    EXPECT_FALSE(with(-1));
    EXPECT_FALSE(ValidatorSet::make({}));
    auto twice = set.validators();
    twice.push_back(twice[0]);
    EXPECT_FALSE(ValidatorSet::make(twice));
    std::vector<Validator> many;
    for (std::size_t i = 0; i < ValidatorSet::maximum_size; ++i) many.push_back({random.id<NodeId>(), 1});
    EXPECT_TRUE(ValidatorSet::make(many));
    many.push_back({random.id<NodeId>(), 1});
    EXPECT_FALSE(ValidatorSet::make(many));
}

}  // namespace
}  // namespace planetserve::lightclient
