#include "dispersal/polynomial.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "dispersal/naive_twin.h"

namespace planetserve::dispersal {
namespace {

std::vector<Bytes> random_vectors(std::size_t count, std::size_t size, Random& random) {
    std::vector<Bytes> vectors(count, Bytes(size));
    for (Bytes& vector : vectors) random.fill(vector);
    return vectors;
}

std::vector<const std::uint8_t*> pointers(const std::vector<Bytes>& vectors) {
    std::vector<const std::uint8_t*> all;
    for (const Bytes& vector : vectors) all.push_back(vector.data());
    return all;
}

TEST(Interpolation, AgreesWithGaussianElimination) {
    SeededRandom random(1);
    for (int round = 0; round < 150; ++round) {
        std::vector<std::uint8_t> points;
        for (unsigned point = 0; point < 256; ++point) points.push_back(static_cast<std::uint8_t>(point));
        random.shuffle(points);
        std::size_t k = 1 + random.below(maximum_cloves);
        std::uint8_t at = points[k];
        points.resize(k);
        auto values = random_vectors(k, 1 + random.below(100), random);
        Bytes out(values.front().size());
        Interpolation(points, at).apply(pointers(values), out);
        EXPECT_EQ(out, naive::evaluate_all(naive::polynomials(points, values), at)) << "k = " << k;
    }
}

// All sizes around those at which the vectorised code changes its way, without a byte written past the end.
TEST(Interpolation, EverySizeOfVector) {
    SeededRandom random(2);
    const Bytes points{1, 2, 4};
    for (std::size_t size = 1; size < 400; ++size) {
        auto values = random_vectors(3, size, random);
        Bytes out(size + 1, 0xaa);
        Interpolation(points, 3).apply(pointers(values), MutableByteView(out).first(size));
        EXPECT_EQ(out.back(), 0xaa);
        out.pop_back();
        EXPECT_EQ(out, naive::evaluate_all(naive::polynomials(points, values), 3));
    }
}

TEST(SystematicCode, ParityAndSecretAreValuesOfTheSamePolynomials) {
    SeededRandom random(3);
    for (std::uint8_t k = 1; k <= maximum_cloves; ++k) {
        auto values = random_vectors(k, 5, random);
        std::vector<Bytes> parity(maximum_cloves - k, Bytes(5));
        std::vector<std::uint8_t*> to;
        for (Bytes& vector : parity) to.push_back(vector.data());
        const SystematicCode& code = SystematicCode::of(k);
        code.encode(pointers(values), to, 5);
        Bytes points;
        for (std::uint8_t i = 0; i < k; ++i) points.push_back(point_of(i));
        auto expected = naive::polynomials(points, values);
        for (std::size_t i = 0; i < parity.size(); ++i)
            EXPECT_EQ(parity[i], naive::evaluate_all(expected, point_of(static_cast<std::uint8_t>(k + i))));
        Bytes secret(5);
        code.secret().apply(pointers(values), secret);
        EXPECT_EQ(secret, naive::evaluate_all(expected, 0));
    }
}

TEST(ForEachBlock, CoversEverySizeInOrderWithoutTinyBlocks) {
    for (std::size_t whole : {std::size_t{0}, std::size_t{1}, block_size, largest_block, largest_block + 1,
                              2 * block_size + 1, 3 * block_size + 65, std::size_t{1000000}}) {
        std::size_t next = 0;
        for_each_block(whole, [&](std::size_t offset, std::size_t size) {
            EXPECT_EQ(offset, next);
            EXPECT_LE(size, largest_block);
            if (whole >= 64) {
                EXPECT_GE(size, 64u);
            }
            next += size;
        });
        EXPECT_EQ(next, whole);
    }
}

}  // namespace
}  // namespace planetserve::dispersal
