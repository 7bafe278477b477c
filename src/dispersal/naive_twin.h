// S-IDA as a textbook has it, for tests: field multiplication bit by bit, polynomials by Gaussian elimination, one byte
// position at a time, the whole message in one piece. Shares nothing with the code it checks but AES-GCM and HMAC.
#pragma once

#include <optional>
#include <stdexcept>
#include <vector>

#include "base/bytes.h"
#include "crypto/cipher.h"
#include "crypto/hash.h"

namespace planetserve::dispersal::naive {

inline std::uint8_t multiply(std::uint8_t a, std::uint8_t b) {
    unsigned product = 0;
    for (unsigned bit = 0; bit < 8; ++bit)
        if (b >> bit & 1) product ^= unsigned{a} << bit;
    for (unsigned bit = 15; bit >= 8; --bit)
        if (product >> bit & 1) product ^= 0x11du << (bit - 8);
    return static_cast<std::uint8_t>(product);
}

inline std::uint8_t invert(std::uint8_t a) {
    for (unsigned b = 1; b < 256; ++b)
        if (multiply(a, static_cast<std::uint8_t>(b)) == 1) return static_cast<std::uint8_t>(b);
    throw std::logic_error("zero has no inverse");
}

inline std::uint8_t evaluate(const Bytes& coefficients, std::uint8_t at) {
    std::uint8_t value = 0;
    std::uint8_t power = 1;
    for (std::uint8_t coefficient : coefficients) {
        value ^= multiply(coefficient, power);
        power = multiply(power, at);
    }
    return value;
}

// The inverse of the matrix whose rows are the powers 0 to k - 1 of the points.
inline std::vector<Bytes> inverse_vandermonde(const Bytes& points) {
    std::size_t k = points.size();
    std::vector<Bytes> matrix;
    for (std::size_t row = 0; row < k; ++row) {
        Bytes line(2 * k);
        std::uint8_t power = 1;
        for (std::size_t column = 0; column < k; ++column, power = multiply(power, points[row])) line[column] = power;
        line[k + row] = 1;
        matrix.push_back(line);
    }
    for (std::size_t column = 0; column < k; ++column) {
        std::size_t pivot = column;
        while (matrix.at(pivot)[column] == 0) ++pivot;
        std::swap(matrix[pivot], matrix[column]);
        std::uint8_t scale = invert(matrix[column][column]);
        for (auto& entry : matrix[column]) entry = multiply(entry, scale);
        for (std::size_t row = 0; row < k; ++row) {
            std::uint8_t factor = matrix[row][column];
            if (row == column || factor == 0) continue;
            for (std::size_t i = 0; i < 2 * k; ++i) matrix[row][i] ^= multiply(factor, matrix[column][i]);
        }
    }
    for (Bytes& line : matrix) line.erase(line.begin(), line.begin() + static_cast<std::ptrdiff_t>(k));
    return matrix;
}

// For each byte position the coefficients of the polynomial with these values at these points.
inline std::vector<Bytes> polynomials(const Bytes& points, const std::vector<Bytes>& values) {
    auto inverse = inverse_vandermonde(points);
    std::vector<Bytes> all;
    for (std::size_t position = 0; position < values.front().size(); ++position) {
        Bytes coefficients(points.size());
        for (std::size_t row = 0; row < points.size(); ++row)
            for (std::size_t j = 0; j < points.size(); ++j)
                coefficients[row] ^= multiply(inverse[row][j], values[j][position]);
        all.push_back(coefficients);
    }
    return all;
}

inline Bytes evaluate_all(const std::vector<Bytes>& polynomials, std::uint8_t at) {
    Bytes values;
    for (const Bytes& coefficients : polynomials) values.push_back(evaluate(coefficients, at));
    return values;
}

// The message from k encoded cloves of one message, by the page docs/protocols/cloves.md alone.
inline std::optional<Bytes> recover(const std::vector<Bytes>& cloves, ByteView binding) {
    const Bytes& first = cloves.front();
    std::uint8_t k = first[2];
    std::size_t size = load_big_endian<std::uint32_t>(ByteView(first).subspan(4));
    Bytes points;
    std::vector<Bytes> bodies;
    for (const Bytes& clove : cloves) {
        points.push_back(static_cast<std::uint8_t>(clove[3] + 1));
        bodies.push_back(Bytes(clove.begin() + 24, clove.end()));
    }
    auto solved = polynomials(points, bodies);
    Bytes shares, sealed;
    for (std::uint8_t i = 0; i < k; ++i) {
        Bytes body = evaluate_all(solved, static_cast<std::uint8_t>(i + 1));
        append(shares, ByteView(body).first(32));
        append(sealed, ByteView(body).subspan(32));
    }
    for (std::size_t i = size + 16; i < sealed.size(); ++i)
        if (sealed[i] != 0) return std::nullopt;
    crypto::Tag tag;
    std::copy_n(sealed.begin() + static_cast<std::ptrdiff_t>(size), tag.size(), tag.begin());
    sealed.resize(size);

    Bytes secret = evaluate_all(solved, 0);
    secret.resize(32);
    Bytes keyed(first.begin(), first.begin() + 3);
    append(keyed, ByteView(first).subspan(4, 20));
    append(keyed, binding);
    crypto::SymmetricKey key(crypto::hmac_sha256(secret, keyed));
    if (!crypto::open_in_place(key, crypto::Nonce{}, shares, sealed, tag)) return std::nullopt;
    return sealed;
}

}  // namespace planetserve::dispersal::naive
