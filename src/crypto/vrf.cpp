#include "crypto/vrf.h"

#include <sodium.h>

#include <algorithm>
#include <stdexcept>

namespace planetserve::crypto {

namespace {

using Point = std::array<std::uint8_t, 32>;   // encoded
using Scalar = std::array<std::uint8_t, 32>;  // little-endian
using Sha512 = std::array<std::uint8_t, 64>;
using Challenge = std::array<std::uint8_t, 16>;

constexpr std::uint8_t suite = 0x03;

Sha512 sha512(std::initializer_list<ByteView> parts) {
    crypto_hash_sha512_state state;
    crypto_hash_sha512_init(&state);
    for (ByteView part : parts) crypto_hash_sha512_update(&state, part.data(), part.size());
    Sha512 hash;
    crypto_hash_sha512_final(&state, hash.data());
    sodium_memzero(&state, sizeof state);
    return hash;
}

// RFC 8032, 5.1.3: y is below 2^255 - 19, and x = 0 has no sign. libsodium's addition checks the rest.
bool is_canonical(const Point& point) {
    Point y = point;
    y[31] &= 0x7f;
    bool middle_ones = std::all_of(y.begin() + 1, y.end() - 1, [](std::uint8_t b) { return b == 0xff; });
    if (y[31] == 0x7f && middle_ones && y[0] >= 0xed) return false;
    bool signed_x = point[31] & 0x80;
    bool is_one = y[0] == 1 && std::all_of(y.begin() + 1, y.end(), [](std::uint8_t b) { return b == 0; });
    bool is_minus_one = y[31] == 0x7f && middle_ones && y[0] == 0xec;
    return !(signed_x && (is_one || is_minus_one));
}

bool is_identity(const Point& point) {
    return point[0] == 1 && std::all_of(point.begin() + 1, point.end(), [](std::uint8_t b) { return b == 0; });
}

// The point times 8. Empty if the bytes are no point.
std::optional<Point> clear_cofactor(Point point) {
    if (!is_canonical(point)) return std::nullopt;
    for (int i = 0; i < 3; ++i) {
        Point twice;
        if (crypto_core_ed25519_add(twice.data(), point.data(), point.data()) != 0) return std::nullopt;
        point = twice;
    }
    return point;
}

// RFC 9381, 5.4.1.1, salted with the public key. All 256 tries fail with a probability of about 2^-256.
Point hash_to_curve(const NodeId& key, ByteView alpha) {
    const std::array<std::uint8_t, 2> front{suite, 0x01};
    for (unsigned counter = 0; counter < 256; ++counter) {
        const std::array<std::uint8_t, 2> back{static_cast<std::uint8_t>(counter), 0x00};
        Sha512 hash = sha512({front, key.bytes(), alpha, back});
        Point candidate;
        std::copy_n(hash.begin(), candidate.size(), candidate.begin());
        auto point = clear_cofactor(candidate);
        if (point && !is_identity(*point)) return *point;
    }
    throw std::logic_error("no point of the curve in 256 hashes");
}

Challenge challenge(const NodeId& key, const Point& h, const Point& gamma, const Point& u, const Point& v) {
    const std::array<std::uint8_t, 2> front{suite, 0x02};
    const std::array<std::uint8_t, 1> back{0x00};
    Sha512 hash = sha512({front, key.bytes(), h, gamma, u, v, back});
    Challenge c;
    std::copy_n(hash.begin(), c.size(), c.begin());
    return c;
}

Scalar widen(const Challenge& c) {
    Scalar scalar{};
    std::ranges::copy(c, scalar.begin());
    return scalar;
}

// Whether s is below the group's order.
bool is_reduced(const Scalar& s) {
    Sha512 wide{};
    std::ranges::copy(s, wide.begin());
    Scalar reduced;
    crypto_core_ed25519_scalar_reduce(reduced.data(), wide.data());
    return reduced == s;
}

struct Parts {
    Point gamma;
    Challenge c;
    Scalar s;
};

Parts parts_of(const VrfProof& proof) {
    ByteReader reader(proof.bytes());
    Parts parts{reader.array<32>(), reader.array<16>(), reader.array<32>()};
    return parts;
}

VrfOutput output_of(const Point& cleared_gamma) {
    const std::array<std::uint8_t, 2> front{suite, 0x03};
    const std::array<std::uint8_t, 1> back{0x00};
    return *VrfOutput::from(sha512({front, cleared_gamma, back}));
}

void require(int result) {
    if (result != 0) throw std::logic_error("an operation on points of the curve failed");
}

}  // namespace

VrfProof vrf_prove(const Identity& identity, ByteView alpha) {
    Point h = hash_to_curve(identity.id(), alpha);
    // RFC 8032, 5.1.5: the secret scalar is the clamped first half of the hash; nonces come from the second half.
    Secret<64> expanded(sha512({identity.seed().bytes()}));
    MutableByteView x = expanded.bytes().first(32);
    x[0] &= 0xf8;
    x[31] = static_cast<std::uint8_t>((x[31] & 0x7f) | 0x40);
    Secret<64> wide_nonce(sha512({expanded.bytes().last(32), h}));
    Secret<32> k;
    crypto_core_ed25519_scalar_reduce(k.bytes().data(), wide_nonce.bytes().data());

    Point gamma, u, v;
    require(crypto_scalarmult_ed25519_noclamp(gamma.data(), x.data(), h.data()));
    require(crypto_scalarmult_ed25519_base_noclamp(u.data(), k.bytes().data()));
    require(crypto_scalarmult_ed25519_noclamp(v.data(), k.bytes().data(), h.data()));
    Challenge c = challenge(identity.id(), h, gamma, u, v);
    Secret<64> wide_x;
    std::ranges::copy(x, wide_x.bytes().begin());
    Secret<32> reduced_x;
    crypto_core_ed25519_scalar_reduce(reduced_x.bytes().data(), wide_x.bytes().data());
    Secret<32> product;
    crypto_core_ed25519_scalar_mul(product.bytes().data(), widen(c).data(), reduced_x.bytes().data());
    Scalar s;
    crypto_core_ed25519_scalar_add(s.data(), product.bytes().data(), k.bytes().data());

    Bytes bytes;
    append(bytes, gamma);
    append(bytes, c);
    append(bytes, s);
    return *VrfProof::from(bytes);
}

std::optional<VrfOutput> vrf_verify(const NodeId& prover, ByteView alpha, const VrfProof& proof) {
    auto [gamma, c, s] = parts_of(proof);
    const Point& y = prover.value;
    if (crypto_core_ed25519_is_valid_point(y.data()) != 1 || crypto_core_ed25519_is_valid_point(gamma.data()) != 1 ||
        !is_canonical(gamma) || !is_canonical(y) || !is_reduced(s))
        return std::nullopt;
    Point h = hash_to_curve(prover, alpha);
    Scalar wide_c = widen(c);
    // U = sB - cY, V = sH - cGamma. libsodium refuses a scalar of zero, which no honest proof has.
    Point sb, cy, sh, c_gamma, u, v;
    if (crypto_scalarmult_ed25519_base_noclamp(sb.data(), s.data()) != 0 ||
        crypto_scalarmult_ed25519_noclamp(cy.data(), wide_c.data(), y.data()) != 0 ||
        crypto_scalarmult_ed25519_noclamp(sh.data(), s.data(), h.data()) != 0 ||
        crypto_scalarmult_ed25519_noclamp(c_gamma.data(), wide_c.data(), gamma.data()) != 0 ||
        crypto_core_ed25519_sub(u.data(), sb.data(), cy.data()) != 0 ||
        crypto_core_ed25519_sub(v.data(), sh.data(), c_gamma.data()) != 0)
        return std::nullopt;
    if (challenge(prover, h, gamma, u, v) != c) return std::nullopt;
    return vrf_proof_to_hash(proof);
}

std::optional<VrfOutput> vrf_proof_to_hash(const VrfProof& proof) {
    auto cleared = clear_cofactor(parts_of(proof).gamma);
    if (!cleared) return std::nullopt;
    return output_of(*cleared);
}

}  // namespace planetserve::crypto
