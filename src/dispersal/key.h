// The key half of S-IDA: a fresh key, its shares, and the key of the message.
#pragma once

#include <algorithm>
#include <array>

#include "base/random.h"
#include "crypto/secret.h"
#include "dispersal/clove.h"

namespace planetserve::dispersal {

// Shamir's scheme, 32 polynomials of degree below k at once, held as their values at points 1 to k: shares 0 to k - 1.
// All k are drawn at random, which is the same as drawing the key K (the value at 0) and k - 1 coefficients. Fewer than
// k shares say nothing about K: every K fits with exactly one value of a missing share.
class SharedKey {
public:
    // All shares are zero; fill them in.
    explicit SharedKey(std::uint8_t k) : k_(k) { std::ranges::fill(used(), std::uint8_t{0}); }
    SharedKey(const SharedKey& other) : k_(other.k_) { std::ranges::copy(other.shares(), used().begin()); }
    SharedKey& operator=(const SharedKey&) = delete;
    ~SharedKey() { crypto::wipe(used()); }
    static SharedKey draw(std::uint8_t k, Random& random);

    // Shares 0 to k - 1, one after another.
    ByteView shares() const { return ByteView(shares_).first(k_ * share_size); }
    ByteView share(std::size_t index) const { return shares().subspan(index * share_size, share_size); }
    MutableByteView share(std::size_t index) { return used().subspan(index * share_size, share_size); }

    // The AES-256 key: HMAC-SHA256(K, version || n || k || message size || message id || binding), HKDF's
    // extraction (RFC 5869) of the binding with K as the salt. It is secret as long as K or the binding is. K serves
    // one message, so the nonce may be zero.
    crypto::SymmetricKey message_key(const DispersedMessage& message, ByteView binding) const;

private:
    MutableByteView used() { return MutableByteView(shares_).first(k_ * share_size); }

    std::uint8_t k_;
    std::array<std::uint8_t, maximum_cloves * share_size> shares_;  // only the first k are used
};

}  // namespace planetserve::dispersal
