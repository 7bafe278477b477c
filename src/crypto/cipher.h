// AES-256-GCM and AES-256-CTR on OpenSSL, in place.
//
// A nonce must never be used twice under one key; callers either use a key once or count. Not thread-safe for one object;
// the functions keep one context a thread.
#pragma once

#include <array>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

inline constexpr std::size_t tag_size = 16;
using Tag = std::array<std::uint8_t, tag_size>;
using Nonce = std::array<std::uint8_t, 12>;

// The 12-byte nonce that stands for a counter: four zero bytes, then the counter.
Nonce counter_nonce(std::uint64_t counter);

// Encrypts data in place and returns the tag over associated and data.
Tag seal_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data);
// Decrypts in place. False when the tag does not verify; data is then unspecified and must not be used.
[[nodiscard]] bool open_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data,
                                 const Tag& tag);
// Adds the AES-256-CTR key stream of (key, counter) to data. Each counter value gives an independent stream of up to 2^32 blocks.
void stream_xor(const SymmetricKey& key, std::uint64_t counter, MutableByteView data);

}  // namespace planetserve::crypto
