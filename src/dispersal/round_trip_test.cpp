// What is split comes back from any k cloves, checked against a naive twin.
#include <gtest/gtest.h>

#include <numeric>

#include "crypto/system_random.h"
#include "dispersal/combine.h"
#include "dispersal/naive_twin.h"
#include "dispersal/split.h"

namespace planetserve::dispersal {
namespace {

constexpr std::size_t message_limit = std::size_t{8} << 20;

struct Sample {
    Bytes message;
    Bytes binding;
    std::vector<Bytes> cloves;
};

Sample make_sample(std::size_t size, Threshold threshold, Random& random) {
    Sample sample;
    sample.message.resize(size);
    random.fill(sample.message);
    sample.binding.resize(random.below(2) * 32);
    random.fill(sample.binding);
    sample.cloves = split(sample.message, threshold, random.id<MessageId>(), sample.binding, random).value();
    return sample;
}

std::vector<Bytes> pick(const Sample& sample, const std::vector<std::uint8_t>& indices) {
    std::vector<Bytes> picked;
    for (std::uint8_t index : indices) picked.push_back(sample.cloves[index]);
    return picked;
}

Result<Recovered> combine_all(const std::vector<Bytes>& cloves, ByteView binding) {
    std::vector<ByteView> views(cloves.begin(), cloves.end());
    return combine(views, binding, message_limit);
}

template <typename Visit>
void for_each_set(std::uint8_t n, std::uint8_t k, Visit visit) {
    for (std::uint32_t mask = 0; mask < 1u << n; ++mask) {
        if (std::popcount(mask) != k) continue;
        std::vector<std::uint8_t> indices;
        for (std::uint8_t i = 0; i < n; ++i)
            if (mask >> i & 1) indices.push_back(i);
        visit(indices);
    }
}

TEST(RoundTrip, OneCloveMadeAloneIsTheSame) {
    for (std::uint8_t k = 1; k <= 8; ++k)
        for (std::size_t size : {0, 1, 511, 1024, 16'384, 70'000}) {
            SeededRandom random(size + k);
            Bytes message(size), binding(32);
            random.fill(message);
            random.fill(binding);
            const auto id = random.id<MessageId>();
            SeededRandom shares(7);
            const auto all = split(message, {8, k}, id, binding, shares).value();
            for (std::uint8_t index = 0; index < 8; ++index) {
                SeededRandom again(7);
                EXPECT_EQ(split_one(message, {8, k}, index, id, binding, again).value(), all[index])
                    << "k " << int{k} << " index " << int{index} << " size " << size;
            }
        }
    SeededRandom random(1);
    EXPECT_FALSE(split_one({}, {3, 4}, 0, MessageId{}, {}, random));
}

TEST(RoundTrip, EverySmallThresholdSizeAndSet) {
    crypto::SystemRandom random;
    for (std::uint8_t n = 1; n <= 5; ++n)
        for (std::uint8_t k = 1; k <= n; ++k)
            for (std::size_t size = 0; size <= 100; ++size) {
                Sample sample = make_sample(size, {n, k}, random);
                for_each_set(n, k, [&](std::vector<std::uint8_t> indices) {
                    random.shuffle(indices);
                    auto recovered = combine_all(pick(sample, indices), sample.binding);
                    ASSERT_TRUE(recovered) << recovered.error().message;
                    ASSERT_EQ(recovered->message, sample.message);
                    ASSERT_TRUE(recovered->corrupt.empty());
                });
                auto all = combine_all(sample.cloves, sample.binding);
                ASSERT_TRUE(all) << all.error().message;
                ASSERT_EQ(all->message, sample.message);
                ASSERT_TRUE(all->corrupt.empty());
            }
}

TEST(RoundTrip, TheNaiveTwinRecoversTheSame) {
    crypto::SystemRandom random;
    for (int round = 0; round < 60; ++round) {
        std::uint8_t n = static_cast<std::uint8_t>(1 + random.below(maximum_cloves));
        std::uint8_t k = static_cast<std::uint8_t>(1 + random.below(n));
        Sample sample = make_sample(random.below(400), {n, k}, random);
        std::vector<std::uint8_t> indices(n);
        std::iota(indices.begin(), indices.end(), std::uint8_t{0});
        random.shuffle(indices);
        indices.resize(k);
        auto picked = pick(sample, indices);
        EXPECT_EQ(naive::recover(picked, sample.binding), sample.message) << "k = " << int{k} << ", n = " << int{n};
        // And both judge a changed bit alike.
        picked[random.below(k)][24 + random.below(picked.front().size() - 24)] ^=
            static_cast<std::uint8_t>(1u << random.below(8));
        EXPECT_EQ(naive::recover(picked, sample.binding), std::nullopt);
        EXPECT_FALSE(combine_all(picked, sample.binding));
    }
}

TEST(RoundTrip, EveryThreshold) {
    crypto::SystemRandom random;
    for (std::uint8_t n = 1; n <= maximum_cloves; ++n)
        for (std::uint8_t k = 1; k <= n; ++k) {
            Sample sample = make_sample(random.below(3000), {n, k}, random);
            std::vector<std::uint8_t> indices(n);
            std::iota(indices.begin(), indices.end(), std::uint8_t{0});
            random.shuffle(indices);
            indices.resize(k);
            auto recovered = combine_all(pick(sample, indices), sample.binding);
            ASSERT_TRUE(recovered) << recovered.error().message;
            ASSERT_EQ(recovered->message, sample.message);
        }
}

TEST(RoundTrip, LargeMessagesAndSizesAroundBlocks) {
    crypto::SystemRandom random;
    for (std::size_t size :
         {std::size_t{49119}, std::size_t{49120}, std::size_t{3 * 16384 - 16}, std::size_t{3 * 16448 - 16},
          std::size_t{3 * 16448 - 15}, std::size_t{1} << 20, std::size_t{5000001}}) {
        Sample sample = make_sample(size, {4, 3}, random);
        for_each_set(4, 3, [&](const std::vector<std::uint8_t>& indices) {
            auto recovered = combine_all(pick(sample, indices), sample.binding);
            ASSERT_TRUE(recovered) << recovered.error().message;
            ASSERT_TRUE(recovered->message == sample.message);
        });
        auto all = combine_all(sample.cloves, sample.binding);
        ASSERT_TRUE(all && all->corrupt.empty());
    }
}

TEST(RoundTrip, ClovesAreFreshEachTime) {
    crypto::SystemRandom random;
    MessageId id = random.id<MessageId>();
    auto once = split(Bytes(200), {4, 3}, id, {}, random).value();
    auto again = split(Bytes(200), {4, 3}, id, {}, random).value();
    for (std::size_t i = 0; i < 4; ++i) EXPECT_NE(once[i], again[i]);
    // Of two splits of one message no mixture is recovered.
    EXPECT_FALSE(combine_all({once[0], once[1], again[2]}, {}));
}

TEST(RoundTrip, NeedsTheBinding) {
    crypto::SystemRandom random;
    auto cloves = split(Bytes(200), {4, 3}, random.id<MessageId>(), as_bytes("agreed"), random).value();
    EXPECT_TRUE(combine_all(cloves, as_bytes("agreed")));
    EXPECT_EQ(combine_all(cloves, as_bytes("other")).error().code, ErrorCode::authentication);
    EXPECT_EQ(combine_all(cloves, {}).error().code, ErrorCode::authentication);
}

}  // namespace
}  // namespace planetserve::dispersal
