#include "crypto/agreement.h"

#include <sodium.h>

namespace planetserve::crypto {

AgreementKey AgreementKey::generate(Random& random) {
    Secret<32> secret;
    random.fill(secret.bytes());
    return from_secret(secret);
}

AgreementKey AgreementKey::from_secret(const Secret<32>& secret) {
    AgreementKey key;
    key.secret_ = secret;
    crypto_scalarmult_base(key.public_key_.value.data(), key.secret_.bytes().data());
    return key;
}

std::optional<Secret<32>> AgreementKey::agree(const AgreementPublicKey& peer) const {
    Secret<32> shared;
    if (crypto_scalarmult(shared.bytes().data(), secret_.bytes().data(), peer.value.data()) != 0) return std::nullopt;
    return shared;
}

}  // namespace planetserve::crypto
