// A keyed hash of many prefixes of one byte string, in one pass. The routing tree hashes every prompt with it.
//
// Hash then encrypt, the construction of UMAC (RFC 4418): each block of at most 1,024 bytes is compressed by NH to 128
// bits, with two passes of a Toeplitz key; the blocks' digests up to a boundary are summed with secret multipliers
// modulo 2^61 - 1, the prefix's size among them; AES-128 encrypts the sum. Two different prefixes have equal sums with
// probability at most about 2^-64 over the key. Different sums look random after AES to anybody without the key. With
// the key, collisions can be constructed.
//
// Why not SipHash or HMAC: 6,000 bytes in 23 pieces take libsodium's SipHash-2-4 3.5 us, and this 0.44 us (in cache).
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/bytes.h"

namespace planetserve::crypto {

class PrefixHash {
public:
    // The key material has any length of at least 16 bytes; the purpose separates uses of one key. One object hashes
    // at most maximum_blocks blocks of a string: a block ends at each boundary and after 1,024 bytes at the latest.
    PrefixHash(ByteView key_material, std::string_view purpose, std::size_t maximum_blocks);
    ~PrefixHash();
    PrefixHash(PrefixHash&&) noexcept;
    PrefixHash& operator=(PrefixHash&&) noexcept;

    // out[i] becomes the hash of data's first ends[i] bytes, which depends on ends[0..i] too. One call at a time.
    // Throws std::logic_error unless ends ascend strictly, the last is at most data.size(), out is as long as ends, and
    // there are at most maximum_blocks blocks.
    void hash(ByteView data, std::span<const std::uint32_t> ends, std::span<std::uint64_t> out);

    static constexpr std::size_t block_size = 1024;

    // For tests: compute without vector instructions.
    void use_portable_code() { portable_ = true; }

private:
    struct State;
    std::unique_ptr<State> state_;
    bool portable_ = false;
};

}  // namespace planetserve::crypto
