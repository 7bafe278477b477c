// AES-256-GCM and AES-256-CTR on OpenSSL, in place.
//
// A nonce must never be used twice under one key; callers either use a key once or count. Not thread-safe for one
// object; the functions keep one context a thread.
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

// The same cipher in pieces and from one place to another, for data that is not in one piece: bytes are in order, a
// piece may have any size, and its output is as long as it is and may be the same memory. One Sealer or Opener at a
// time per thread (a second one throws std::logic_error); the functions above may be used meanwhile.
class PiecewiseCipher {
public:
    PiecewiseCipher(const PiecewiseCipher&) = delete;
    PiecewiseCipher& operator=(const PiecewiseCipher&) = delete;

    // REQUIRES: out.size() == in.size().
    void update(ByteView in, MutableByteView out);

protected:
    PiecewiseCipher(const SymmetricKey& key, const Nonce& nonce, ByteView associated, bool encrypt);
    ~PiecewiseCipher();
};

class Sealer : public PiecewiseCipher {
public:
    Sealer(const SymmetricKey& key, const Nonce& nonce, ByteView associated)
        : PiecewiseCipher(key, nonce, associated, true) {}
    // Call once, after the last update.
    Tag finish();
};

class Opener : public PiecewiseCipher {
public:
    Opener(const SymmetricKey& key, const Nonce& nonce, ByteView associated)
        : PiecewiseCipher(key, nonce, associated, false) {}
    // Call once, after the last update. False when the tag does not verify: what update gave must then not be used.
    [[nodiscard]] bool finish(const Tag& tag);
};

// Adds the AES-256-CTR key stream of (key, counter) to data. Each counter value gives an independent stream of up to
// 2^32 blocks.
void stream_xor(const SymmetricKey& key, std::uint64_t counter, MutableByteView data);

}  // namespace planetserve::crypto
