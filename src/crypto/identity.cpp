#include "crypto/identity.h"

#include <sodium.h>

namespace planetserve::crypto {

namespace {

Bytes in_context(std::string_view context, ByteView message) {
    Bytes bytes;
    bytes.reserve(context.size() + 1 + message.size());
    append(bytes, as_bytes(context));
    bytes.push_back(0);
    append(bytes, message);
    return bytes;
}

}  // namespace

Identity Identity::from_seed(const Secret<32>& seed) {
    Identity identity;
    crypto_sign_seed_keypair(identity.id_.value.data(), identity.secret_.bytes().data(), seed.bytes().data());
    return identity;
}

Identity Identity::generate(Random& random) {
    Secret<32> seed;
    random.fill(seed.bytes());
    return from_seed(seed);
}

Secret<32> Identity::seed() const {
    Secret<32> seed;
    crypto_sign_ed25519_sk_to_seed(seed.bytes().data(), secret_.bytes().data());
    return seed;
}

Signature Identity::sign_raw(ByteView message) const {
    Signature signature;
    crypto_sign_detached(signature.value.data(), nullptr, message.data(), message.size(), secret_.bytes().data());
    return signature;
}

Signature Identity::sign(std::string_view context, ByteView message) const {
    return sign_raw(in_context(context, message));
}

bool verify_raw(const NodeId& signer, ByteView message, const Signature& signature) {
    return crypto_sign_verify_detached(signature.value.data(), message.data(), message.size(), signer.value.data()) ==
           0;
}

bool verify(const NodeId& signer, std::string_view context, ByteView message, const Signature& signature) {
    return verify_raw(signer, in_context(context, message), signature);
}

}  // namespace planetserve::crypto
