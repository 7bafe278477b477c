// Polynomials over GF(2^8) (reduced by x^8 + x^4 + x^3 + x^2 + 1), one a byte position, on ISA-L's vectorised
// multiplication. Both halves of S-IDA use this code: clove i holds the value at point i + 1 of polynomials of degree
// below k. So any k values determine the others (Rabin's dispersal in its systematic form) and, for the key's shares,
// the value at point 0, which is the secret (Shamir, 1979).
//
// Vectors are byte strings of one size. Timing and memory access do not depend on secret data.
#pragma once

#include <array>
#include <span>

#include "dispersal/clove.h"

namespace planetserve::dispersal {

inline constexpr std::uint8_t secret_point = 0;
constexpr std::uint8_t point_of(std::uint8_t index) { return static_cast<std::uint8_t>(index + 1); }

// Computes the values at one point from those at k other points (Lagrange's formula with precomputed coefficients).
class Interpolation {
public:
    // Requires: 1 to 32 distinct points.
    Interpolation(std::span<const std::uint8_t> points, std::uint8_t at);

    // values[j] is the vector at points[j]; all have out.size() bytes.
    void apply(std::span<const std::uint8_t* const> values, MutableByteView out) const;

private:
    std::uint8_t count_;
    std::array<std::uint8_t, 32 * maximum_cloves> tables_;
};

// Computes the values at points k + 1 to n and at 0 from those at points 1 to k. The first use computes the tables of
// all k, in under a millisecond, and keeps them (200 KiB).
class SystematicCode {
public:
    // Thread-safe. Requires: 1 <= k <= 32.
    static const SystematicCode& of(std::uint8_t k);

    // parity[i] gets the vector of clove k + row + i.
    // Requires: values.size() == k, row + parity.size() <= 32 - k.
    void encode(std::span<const std::uint8_t* const> values, std::span<std::uint8_t* const> parity, std::size_t size,
                std::size_t row = 0) const;
    const Interpolation& secret() const { return secret_; }

private:
    explicit SystematicCode(std::uint8_t k);

    std::uint8_t k_;
    Bytes parity_tables_;
    Interpolation secret_;
};

// Large vectors are processed in pieces that fit into the first-level cache.
inline constexpr std::size_t block_size = 16 * 1024;
inline constexpr std::size_t largest_block = block_size + 64;

// Calls step(offset, size) over the whole size. The last block may have largest_block bytes, so that none is tiny.
template <typename Step>
void for_each_block(std::size_t whole, Step step) {
    for (std::size_t offset = 0; offset < whole;) {
        std::size_t left = whole - offset;
        std::size_t size = left <= largest_block ? left : block_size;
        step(offset, size);
        offset += size;
    }
}

}  // namespace planetserve::dispersal
