// AES-256-GCM and AES-256-CTR on OpenSSL, in place.
//
// Never use a nonce twice under one key: use a key once, or count. The functions may run in any thread, since each
// thread has its own OpenSSL context. Objects are not thread-safe. Data over 2 GiB in one call throws std::logic_error,
// a failure in OpenSSL std::runtime_error.
#pragma once

#include <array>

#include "base/bytes.h"
#include "crypto/secret.h"

namespace planetserve::crypto {

inline constexpr std::size_t tag_size = 16;
using Tag = std::array<std::uint8_t, tag_size>;
using Nonce = std::array<std::uint8_t, 12>;

// The nonce for a counter: four zero bytes, then the counter (big-endian).
Nonce counter_nonce(std::uint64_t counter);

// Encrypts data in place. The tag authenticates `associated` and the data.
Tag seal_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data);
// Decrypts data in place. Returns false if the tag is wrong; the data is then worthless.
[[nodiscard]] bool open_in_place(const SymmetricKey& key, const Nonce& nonce, ByteView associated, MutableByteView data,
                                 const Tag& tag);

// AES-256-GCM for data in pieces of any size, in order. The output of a piece is as large as the piece and may be the
// same memory. A thread can have one Sealer or Opener at a time; a second one throws std::logic_error. The functions
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
    // Call once, after the last update. Returns false if the tag is wrong; the output of update is then worthless.
    [[nodiscard]] bool finish(const Tag& tag);
};

// XORs the AES-256-CTR key stream of (key, counter) into data. The counter is the upper half of the initial block, so
// the streams of different counters do not overlap.
void stream_xor(const SymmetricKey& key, std::uint64_t counter, MutableByteView data);

}  // namespace planetserve::crypto
