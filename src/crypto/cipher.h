// AES-256-GCM and AES-256-CTR on OpenSSL, in place.
//
// Never use a nonce twice under one key: callers use a key once, or count. Objects are not thread-safe; the functions
// keep one context a thread.
#pragma once

#include <array>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

inline constexpr std::size_t tag_size = 16;
using Tag = std::array<std::uint8_t, tag_size>;
using Nonce = std::array<std::uint8_t, 12>;

// The 12-byte nonce of a counter: four zero bytes, then the counter.
Nonce counter_nonce(std::uint64_t counter);

// Encrypts data in place and returns the tag over associated and data.
Tag seal_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data);
// Decrypts in place. False if the tag does not verify; then do not use data.
[[nodiscard]] bool open_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data,
                                 const Tag& tag);

// The same cipher for data in several pieces, in order and of any size. The output of a piece has its size and may be
// the same memory. One Sealer or Opener at a time per thread (a second one throws std::logic_error); the functions
// above may run meanwhile.
class PiecewiseCipher {
public:
    PiecewiseCipher(const PiecewiseCipher&) = delete;
    PiecewiseCipher& operator=(const PiecewiseCipher&) = delete;

    // Throws std::logic_error unless out.size() == in.size().
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
    // Call once, after the last update. False if the tag does not verify: then do not use the output of update.
    [[nodiscard]] bool finish(const Tag& tag);
};

// Adds the AES-256-CTR key stream of (key, counter) to data. Each counter value gives an independent stream of up to
// 2^32 blocks.
void stream_xor(const SymmetricKey& key, std::uint64_t counter, MutableByteView data);

}  // namespace planetserve::crypto
