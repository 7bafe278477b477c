#include "crypto/prefix_hash.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "base/random.h"

namespace planetserve::crypto {
namespace {

constexpr std::string_view purpose = "test";

struct PrefixHashTest : testing::Test {
    SeededRandom random{7};
    Bytes key = Bytes(32, 0x42);

    Bytes data(std::size_t size) {
        Bytes bytes(size);
        random.fill(bytes);
        return bytes;
    }
    static std::vector<std::uint64_t> hashes(PrefixHash& hash, ByteView bytes, const std::vector<std::uint32_t>& ends) {
        std::vector<std::uint64_t> out(ends.size());
        hash.hash(bytes, ends, out);
        return out;
    }
};

TEST_F(PrefixHashTest, VectorInstructionsChangeNothing) {
    PrefixHash fast(key, purpose, 256);
    PrefixHash portable(key, purpose, 256);
    portable.use_portable_code();
    for (int round = 0; round < 200; ++round) {
        Bytes bytes = data(1 + random.below(5000));
        std::vector<std::uint32_t> ends;
        for (std::size_t end = 1 + random.below(600); end <= bytes.size(); end += 1 + random.below(600))
            ends.push_back(static_cast<std::uint32_t>(end));
        EXPECT_EQ(hashes(fast, bytes, ends), hashes(portable, bytes, ends));
    }
}

TEST_F(PrefixHashTest, DependsOnThePrefixAlone) {
    PrefixHash hash(key, purpose, 64);
    Bytes bytes = data(4000);
    std::vector<std::uint32_t> ends{100, 1500, 1532, 4000};
    auto before = hashes(hash, bytes, ends);
    for (std::size_t at : {0uz, 99uz, 100uz, 1499uz, 1500uz, 1531uz, 1532uz, 3999uz}) {
        Bytes changed = bytes;
        changed[at] ^= 1;
        auto after = hashes(hash, changed, ends);
        for (std::size_t level = 0; level < ends.size(); ++level)
            EXPECT_EQ(after[level] == before[level], at >= ends[level]) << at << " " << level;
    }
    // Neither the bytes after the last boundary nor later boundaries change a hash.
    EXPECT_EQ(hashes(hash, ByteView(bytes).first(1532), {100, 1500, 1532}),
              std::vector<std::uint64_t>(before.begin(), before.begin() + 3));
}

TEST_F(PrefixHashTest, KeyAndPurposeSeparate) {
    Bytes bytes = data(64);
    PrefixHash one(key, purpose, 1);
    PrefixHash other_purpose(key, "other", 1);
    key[31] ^= 1;
    PrefixHash other_key(key, purpose, 1);
    std::set<std::uint64_t> seen;
    for (PrefixHash* hash : {&one, &other_purpose, &other_key}) seen.insert(hashes(*hash, bytes, {64}).front());
    EXPECT_EQ(seen.size(), 3u);
}

// Zero padding must not make prefixes of different sizes equal.
TEST_F(PrefixHashTest, SizeCounts) {
    PrefixHash hash(key, purpose, 4);
    Bytes zeros(64, 0);
    std::set<std::uint64_t> seen;
    for (std::uint32_t size = 1; size <= 64; ++size) seen.insert(hashes(hash, zeros, {size}).front());
    EXPECT_EQ(seen.size(), 64u);
}

TEST_F(PrefixHashTest, BitsAreEven) {
    PrefixHash hash(key, purpose, 1);
    std::array<int, 64> ones{};
    constexpr int rounds = 4000;
    for (int round = 0; round < rounds; ++round) {
        std::array<std::uint8_t, 8> bytes{};
        store_big_endian(MutableByteView(bytes), static_cast<std::uint64_t>(round));
        std::uint64_t value = hashes(hash, bytes, {8}).front();
        for (std::size_t bit = 0; bit < ones.size(); ++bit) ones[bit] += static_cast<int>(value >> bit & 1);
    }
    // Six standard deviations of a fair coin.
    for (int count : ones) EXPECT_NEAR(count, rounds / 2.0, 6 * 32);
}

TEST_F(PrefixHashTest, RefusesWhatDoesNotFit) {
    PrefixHash hash(key, purpose, 2);
    Bytes bytes = data(4096);
    EXPECT_THROW(hashes(hash, bytes, {4097}), std::logic_error);
    EXPECT_THROW(hashes(hash, bytes, {2049}), std::logic_error);
    EXPECT_THROW(hashes(hash, bytes, {8, 8}), std::logic_error);
    EXPECT_NO_THROW(hashes(hash, bytes, {2048}));
    EXPECT_THROW(PrefixHash(Bytes(15), purpose, 1), std::logic_error);
}

}  // namespace
}  // namespace planetserve::crypto
