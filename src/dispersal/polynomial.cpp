#include "dispersal/polynomial.h"

#include <isa-l/erasure_code.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/requires.h"
#include "crypto/secret.h"

namespace planetserve::dispersal {

namespace {

// Below this many bytes ISA-L falls back to byte-wise code (or refuses), so shorter vectors are padded.
constexpr std::size_t shortest_vector = 64;
// ISA-L's expanded form of one coefficient.
constexpr std::size_t table_size = 32;

// out[i] = sum of row i's coefficients times the values.
void multiply(std::span<const std::uint8_t* const> values, std::span<std::uint8_t* const> out,
              const std::uint8_t* tables, std::size_t size) {
    // ISA-L takes pointers to non-const and does not write through these.
    auto encode = [tables](std::size_t length, std::size_t count, std::size_t rows, const std::uint8_t* const* from,
                           std::uint8_t* const* to) {
        ec_encode_data(static_cast<int>(length), static_cast<int>(count), static_cast<int>(rows),
                       const_cast<std::uint8_t*>(tables), const_cast<std::uint8_t**>(from),
                       const_cast<std::uint8_t**>(to));
    };
    if (size >= shortest_vector) {
        encode(size, values.size(), out.size(), values.data(), out.data());
        return;
    }
    struct Padded {
        std::array<std::uint8_t, maximum_cloves * shortest_vector> bytes;
        std::array<std::uint8_t*, maximum_cloves> at;
        MutableByteView used;

        explicit Padded(std::size_t count) : used(MutableByteView(bytes).first(count * shortest_vector)) {
            std::ranges::fill(used, std::uint8_t{0});
            for (std::size_t i = 0; i < count; ++i) at[i] = used.data() + i * shortest_vector;
        }
        ~Padded() { crypto::wipe(used); }  // shares are this short
    };
    Padded from(values.size());
    Padded to(out.size());
    for (std::size_t i = 0; i < values.size(); ++i) std::memcpy(from.at[i], values[i], size);
    encode(shortest_vector, values.size(), out.size(), from.at.data(), to.at.data());
    for (std::size_t i = 0; i < out.size(); ++i) std::memcpy(out[i], to.at[i], size);
}

// The coefficient of each point's value in the value at another point.
void lagrange(std::span<const std::uint8_t> points, std::uint8_t at, std::uint8_t* coefficients) {
    for (std::size_t j = 0; j < points.size(); ++j) {
        std::uint8_t numerator = 1;
        std::uint8_t denominator = 1;
        for (std::size_t l = 0; l < points.size(); ++l) {
            if (l == j) continue;
            numerator = gf_mul(numerator, at ^ points[l]);
            denominator = gf_mul(denominator, points[j] ^ points[l]);
        }
        coefficients[j] = gf_mul(numerator, gf_inv(denominator));
    }
}

constexpr std::array<std::uint8_t, maximum_cloves> points_of_cloves = [] {
    std::array<std::uint8_t, maximum_cloves> points{};
    for (std::uint8_t i = 0; i < maximum_cloves; ++i) points[i] = point_of(i);
    return points;
}();

}  // namespace

Interpolation::Interpolation(std::span<const std::uint8_t> points, std::uint8_t at)
    : count_(static_cast<std::uint8_t>(points.size())) {
    REQUIRES(!points.empty() && points.size() <= maximum_cloves);
    std::array<std::uint8_t, maximum_cloves> coefficients;
    lagrange(points, at, coefficients.data());
    ec_init_tables(count_, 1, coefficients.data(), tables_.data());
}

void Interpolation::apply(std::span<const std::uint8_t* const> values, MutableByteView out) const {
    std::uint8_t* to = out.data();
    multiply(values.first(count_), {&to, 1}, tables_.data(), out.size());
}

SystematicCode::SystematicCode(std::uint8_t k) : k_(k), secret_(std::span(points_of_cloves).first(k), secret_point) {
    std::span points(points_of_cloves);
    std::size_t rows = maximum_cloves - k;
    Bytes coefficients(rows * k);
    for (std::size_t row = 0; row < rows; ++row) lagrange(points.first(k), points[k + row], &coefficients[row * k]);
    parity_tables_.resize(rows * k * table_size);
    if (rows > 0) ec_init_tables(k, static_cast<int>(rows), coefficients.data(), parity_tables_.data());
}

const SystematicCode& SystematicCode::of(std::uint8_t k) {
    REQUIRES(k >= 1 && k <= maximum_cloves);
    static const std::vector<SystematicCode> codes = [] {
        std::vector<SystematicCode> all;
        for (std::uint8_t i = 1; i <= maximum_cloves; ++i) all.push_back(SystematicCode(i));
        return all;
    }();
    return codes.at(k - 1u);
}

void SystematicCode::encode(std::span<const std::uint8_t* const> values, std::span<std::uint8_t* const> parity,
                            std::size_t size, std::size_t row) const {
    REQUIRES(values.size() == k_ && row + parity.size() <= maximum_cloves - k_);
    const std::size_t row_size = table_size * k_;
    if (!parity.empty()) multiply(values.first(k_), parity, parity_tables_.data() + row * row_size, size);
}

}  // namespace planetserve::dispersal
