#include "dispersal/clove.h"

#include <gtest/gtest.h>

#include "crypto/system_random.h"
#include "dispersal/split.h"

namespace planetserve::dispersal {
namespace {

constexpr std::size_t clove_limit = 10000;

Bytes sample(std::size_t size = 100) {
    crypto::SystemRandom random;
    return split(Bytes(size), {4, 3}, random.id<MessageId>(), {}, random).value()[2];
}

TEST(Threshold, Range) {
    for (unsigned n = 0; n < 256; ++n)
        for (unsigned k = 0; k < 256; ++k)
            EXPECT_EQ((Threshold{static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(k)}.validate().has_value()),
                      1 <= k && k <= n && n <= 32);
}

TEST(Clove, AnEightKibibyteMessageFitsTwoCellsAPath) { EXPECT_LE(clove_size(8192, 3) + 4, 2800u); }

TEST(Clove, HasTheDocumentedLayout) {
    crypto::SystemRandom random;
    auto id = random.id<MessageId>();
    auto cloves = split(Bytes(0x1234), {7, 5}, id, {}, random).value();
    ASSERT_EQ(cloves.size(), 7u);
    for (std::uint8_t i = 0; i < 7; ++i) {
        EXPECT_EQ(to_hex(ByteView(cloves[i]).first(24)), "0107050" + std::to_string(i) + "00001234" + id.hex());
        EXPECT_EQ(cloves[i].size(), 24 + 32 + (0x1234 + 16 + 4) / 5);
        auto clove = parse_clove(cloves[i], clove_limit).value();
        EXPECT_EQ(clove.dispersed(), (DispersedMessage{id, {7, 5}, 0x1234}));
        EXPECT_EQ(clove.index, i);
        EXPECT_EQ(clove.share.data(), cloves[i].data() + 24);
        EXPECT_EQ(clove.share.size(), 32u);
        EXPECT_EQ(clove.fragment.data(), cloves[i].data() + 56);
        EXPECT_EQ(clove.body().size(), cloves[i].size() - 24);
    }
}

TEST(ParseClove, RefusesEveryOtherSize) {
    Bytes clove = sample();
    for (std::size_t size = 0; size < clove.size(); ++size)
        EXPECT_EQ(parse_clove(ByteView(clove).first(size), clove_limit).error().code, ErrorCode::malformed) << size;
    EXPECT_TRUE(parse_clove(clove, clove_limit));
    clove.push_back(0);
    EXPECT_EQ(parse_clove(clove, clove_limit).error().code, ErrorCode::malformed);
}

TEST(ParseClove, NamesWhatIsWrong) {
    auto refused = [](std::size_t at, std::uint8_t value) {
        Bytes clove = sample();
        clove[at] = value;
        auto parsed = parse_clove(clove, clove_limit);
        return parsed ? "accepted" : parsed.error().message;
    };
    EXPECT_NE(refused(0, 2).find("version 2"), std::string::npos);
    EXPECT_NE(refused(1, 33).find("n = 33"), std::string::npos);
    EXPECT_NE(refused(1, 2).find("k = 3 of n = 2"), std::string::npos);
    EXPECT_NE(refused(2, 0).find("k = 0"), std::string::npos);
    EXPECT_NE(refused(3, 4).find("index 4 of 4"), std::string::npos);
    EXPECT_NE(refused(2, 2).find("fragment of 39 bytes"), std::string::npos);
    EXPECT_NE(refused(7, 200).find("fragment of 39 bytes"), std::string::npos);
    EXPECT_NE(refused(4, 0xff).find("the limit is 10000"), std::string::npos);
}

TEST(ParseClove, HoldsToTheCallersLimit) {
    EXPECT_TRUE(parse_clove(sample(clove_limit), clove_limit));
    EXPECT_EQ(parse_clove(sample(clove_limit + 1), clove_limit).error().code, ErrorCode::invalid_argument);
}

TEST(Split, RefusesAThresholdOutOfRange) {
    crypto::SystemRandom random;
    EXPECT_EQ(split(Bytes(1), {2, 3}, {}, {}, random).error().code, ErrorCode::invalid_argument);
    EXPECT_EQ(split(Bytes(1), {33, 3}, {}, {}, random).error().code, ErrorCode::invalid_argument);
}

TEST(Split, RefusesWhatIsTooLarge) {
    crypto::SystemRandom random;
    // The size alone is looked at.
    EXPECT_EQ(split(ByteView(Bytes(1).data(), largest_message + 1), {4, 3}, {}, {}, random).error().code,
              ErrorCode::invalid_argument);
}

}  // namespace
}  // namespace planetserve::dispersal
