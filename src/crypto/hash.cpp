#include "crypto/hash.h"

#include <sodium.h>

#include <algorithm>
#include <stdexcept>

namespace planetserve::crypto {

void wipe(MutableByteView bytes) { sodium_memzero(bytes.data(), bytes.size()); }

Digest sha256(ByteView data) { return sha256({data}); }

Digest sha256(std::initializer_list<ByteView> parts) {
    crypto_hash_sha256_state state;
    crypto_hash_sha256_init(&state);
    for (ByteView part : parts) crypto_hash_sha256_update(&state, part.data(), part.size());
    Digest digest;
    crypto_hash_sha256_final(&state, digest.data());
    return digest;
}

Digest hmac_sha256(ByteView key, ByteView data) {
    crypto_auth_hmacsha256_state state;
    crypto_auth_hmacsha256_init(&state, key.data(), key.size());
    crypto_auth_hmacsha256_update(&state, data.data(), data.size());
    Digest digest;
    crypto_auth_hmacsha256_final(&state, digest.data());
    return digest;
}

void hkdf_sha256(ByteView salt, ByteView key_material, std::string_view info, MutableByteView out) {
    if (out.size() > 255 * sizeof(Digest)) throw std::logic_error("hkdf_sha256: more than 8,160 bytes asked");
    Digest extracted = hmac_sha256(salt, key_material);
    Bytes block;
    for (std::uint8_t counter = 1; !out.empty(); ++counter) {
        append(block, as_bytes(info));
        block.push_back(counter);
        Digest next = hmac_sha256(extracted, block);
        std::size_t size = std::min(out.size(), next.size());
        std::copy_n(next.begin(), size, out.begin());
        out = out.subspan(size);
        wipe(block);
        block.assign(next.begin(), next.end());
        wipe(next);
    }
    wipe(block);
    wipe(extracted);
}

SymmetricKey derive_key(ByteView salt, ByteView key_material, std::string_view info) {
    SymmetricKey key;
    hkdf_sha256(salt, key_material, info, key.bytes());
    return key;
}

}  // namespace planetserve::crypto
