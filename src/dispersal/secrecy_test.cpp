// What fewer than k cloves tell: nothing about the key.
#include <gtest/gtest.h>

#include <map>

#include "crypto/system_random.h"
#include "dispersal/key.h"
#include "dispersal/naive_twin.h"
#include "dispersal/split.h"

namespace planetserve::dispersal {
namespace {

// Whatever k - 1 shares are seen, each of the 256 values of a key byte goes with exactly one value of the missing
// share: all keys are equally likely. For every threshold up to 5 of 6 and every choice of k - 1 shares.
TEST(Secrecy, EveryKeyIsConsistentWithAnyKMinusOneShares) {
    crypto::SystemRandom random;
    constexpr std::uint8_t n = 6;
    for (std::uint8_t k = 1; k <= 5; ++k) {
        auto cloves = split({}, {n, k}, random.id<MessageId>(), {}, random).value();
        for (std::uint32_t mask = 0; mask < 1u << n; ++mask) {
            if (std::popcount(mask) != k - 1) continue;
            Bytes points;
            std::vector<Bytes> seen;
            for (std::uint8_t i = 0; i < n; ++i)
                if (mask >> i & 1) {
                    points.push_back(static_cast<std::uint8_t>(i + 1));
                    seen.push_back({cloves[i][24]});
                }
            std::uint8_t unseen = static_cast<std::uint8_t>(std::countr_one(mask) + 1);
            Bytes with_unseen = points;
            with_unseen.push_back(unseen);
            auto inverse = naive::inverse_vandermonde(with_unseen);
            std::map<std::uint8_t, int> keys;
            for (unsigned guess = 0; guess < 256; ++guess) {
                std::uint8_t key = 0;  // the constant coefficient
                for (std::size_t j = 0; j < seen.size(); ++j) key ^= naive::multiply(inverse[0][j], seen[j][0]);
                key ^= naive::multiply(inverse[0][seen.size()], static_cast<std::uint8_t>(guess));
                ++keys[key];
            }
            EXPECT_EQ(keys.size(), 256u);
        }
    }
}

// Every share alone is uniform, and so is the key: chi-squared over the 256 values of a byte, 255 degrees of freedom. A
// right generator exceeds 400 about once in 10^8 runs of this test.
TEST(Secrecy, SharesAndKeyAreUniform) {
    crypto::SystemRandom random;
    constexpr int rounds = 4000;
    std::array<std::array<int, 256>, 5> counts{};  // the four shares, then the key
    for (int round = 0; round < rounds; ++round) {
        auto cloves = split({}, {4, 3}, random.id<MessageId>(), {}, random).value();
        std::vector<Bytes> shares;
        for (std::size_t i = 0; i < 4; ++i) {
            shares.push_back(Bytes(cloves[i].begin() + 24, cloves[i].begin() + 56));
            for (std::uint8_t byte : shares[i]) ++counts[i][byte];
        }
        shares.pop_back();
        static const auto inverse = naive::inverse_vandermonde({1, 2, 3});
        for (std::size_t position = 0; position < 32; ++position) {
            std::uint8_t key = 0;
            for (std::size_t j = 0; j < 3; ++j) key ^= naive::multiply(inverse[0][j], shares[j][position]);
            ++counts[4][key];
        }
    }
    const double expected = rounds * 32 / 256.0;
    for (const auto& histogram : counts) {
        double chi_squared = 0;
        for (int count : histogram) chi_squared += (count - expected) * (count - expected) / expected;
        EXPECT_LT(chi_squared, 400);
        EXPECT_GT(chi_squared, 140);
    }
}

// Every parameter, every share and the binding change what the message is encrypted under.
TEST(Secrecy, TheMessageKeyDependsOnEverything) {
    SeededRandom random(1);
    SharedKey shared = SharedKey::draw(3, random);
    const DispersedMessage message{random.id<MessageId>(), {4, 3}, 100};
    std::vector<Bytes> keys;
    auto note = [&](const SharedKey& key, const DispersedMessage& of, ByteView binding) {
        keys.push_back(to_bytes(key.message_key(of, binding).bytes()));
    };
    note(shared, message, {});
    note(shared, message, as_bytes("a"));
    note(shared, message, as_bytes("b"));
    DispersedMessage other = message;
    other.size = 101;
    note(shared, other, {});
    other = message;
    other.threshold.n = 5;
    note(shared, other, {});
    other = message;
    other.id.value[0] ^= 1;
    note(shared, other, {});
    for (std::size_t i = 0; i < 3; ++i) {
        SharedKey changed = shared;
        changed.share(i)[i] ^= 1;
        note(changed, message, {});
    }
    std::ranges::sort(keys);
    EXPECT_EQ(std::ranges::adjacent_find(keys), keys.end());
}

}  // namespace
}  // namespace planetserve::dispersal
