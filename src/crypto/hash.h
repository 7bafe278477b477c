// SHA-256 (FIPS 180-4), HMAC (RFC 2104), HKDF (RFC 5869).
#pragma once

#include <array>
#include <initializer_list>
#include <memory>
#include <string_view>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

using Digest = std::array<std::uint8_t, 32>;

Digest sha256(ByteView data);
// The digest of the concatenated parts. Nothing separates the parts.
Digest sha256(std::initializer_list<ByteView> parts);

// SHA-256 of data in pieces, for example of a large file. Not thread-safe.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(const Sha256&) = delete;
    Sha256& operator=(const Sha256&) = delete;

    void update(ByteView data);
    // The digest of all pieces since the previous finish.
    Digest finish();

private:
    struct State;
    std::unique_ptr<State> state_;
};

Digest hmac_sha256(ByteView key, ByteView data);
// The HMAC of the concatenated parts. Nothing separates the parts.
Digest hmac_sha256(ByteView key, std::initializer_list<ByteView> parts);

// Fills out with HKDF-SHA256(salt, key material, info). Throws std::logic_error if out has more than 255 * 32 bytes.
void hkdf_sha256(ByteView salt, ByteView key_material, std::string_view info, MutableByteView out);
SymmetricKey derive_key(ByteView salt, ByteView key_material, std::string_view info);

}  // namespace planetserve::crypto
