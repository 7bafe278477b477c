// X25519 (RFC 7748). A node's onion key is its long-lived agreement key. A user makes a fresh key for each hop of a
// path and for each exchange.
#pragma once

#include <optional>

#include "base/ids.h"
#include "base/random.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

using AgreementPublicKey = FixedBytes<struct AgreementPublicKeyTag, 32>;

class AgreementKey {
public:
    static AgreementKey generate(Random& random);
    static AgreementKey from_secret(const Secret<32>& secret);

    const AgreementPublicKey& public_key() const { return public_key_; }
    const Secret<32>& secret() const { return secret_; }
    // The shared secret. Do not use it as a key: derive keys from it and both public keys. Empty for a peer key of
    // small order, with which everybody knows the secret.
    std::optional<Secret<32>> agree(const AgreementPublicKey& peer) const;

private:
    AgreementKey() = default;
    Secret<32> secret_;
    AgreementPublicKey public_key_;
};

// Whether everybody knows the secret of any agreement with this key. No honest node has such a key.
bool has_small_order(const AgreementPublicKey& key);

}  // namespace planetserve::crypto
