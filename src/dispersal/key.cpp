#include "dispersal/key.h"

#include <algorithm>

#include "crypto/hash.h"
#include "dispersal/polynomial.h"

namespace planetserve::dispersal {

SharedKey SharedKey::draw(std::uint8_t k, Random& random) {
    SharedKey key(k);
    random.fill(key.used());
    return key;
}

crypto::SymmetricKey SharedKey::message_key(const DispersedMessage& message, ByteView binding) const {
    std::array<const std::uint8_t*, maximum_cloves> shares;
    for (std::size_t i = 0; i < k_; ++i) shares[i] = share(i).data();
    crypto::SymmetricKey secret;
    SystematicCode::of(k_).secret().apply({shares.data(), k_}, secret.bytes());

    std::array<std::uint8_t, 7 + MessageId::size> stated{clove_version, message.threshold.n, message.threshold.k};
    store_big_endian(MutableByteView(stated).subspan(3), message.size);
    std::ranges::copy(message.id.value, stated.begin() + 7);
    return crypto::SymmetricKey(crypto::hmac_sha256(secret.bytes(), {stated, binding}));
}

}  // namespace planetserve::dispersal
