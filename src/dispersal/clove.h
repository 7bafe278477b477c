// Cloves: the pieces in which a dispersed message travels (docs/protocols/cloves.md).
//
// S-IDA (PlanetServe, NSDI '26, section 2): a message is encrypted under a fresh key, the ciphertext is split into n
// fragments of which any k recover it (Rabin, 1989), the key into n Shamir shares of which any k recover it. Clove i is
// (fragment i, share i). split.h makes cloves, combine.h collects them.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/ids.h"
#include "base/result.h"

namespace planetserve::dispersal {

inline constexpr std::size_t maximum_cloves = 32;
inline constexpr std::uint8_t clove_version = 1;
inline constexpr std::size_t share_size = 32;
// The AES-GCM tag, which is dispersed with the ciphertext so that it costs each clove 16 / k bytes.
inline constexpr std::size_t sealing_overhead = 16;
// Version, n, k, index (1 byte each), message size (4), message id (16); then share and fragment.
inline constexpr std::size_t clove_header_size = 24;
inline constexpr std::size_t clove_overhead = clove_header_size + share_size;
// The most that split accepts, whatever the caller's own limit.
inline constexpr std::size_t largest_message = std::size_t{1} << 30;

// split makes n cloves; any k recover the message.
struct Threshold {
    std::uint8_t n = 4;
    std::uint8_t k = 3;

    auto operator<=>(const Threshold&) const = default;
    // 1 <= k <= n <= 32.
    Status validate() const;
};

// What a node takes from strangers. A record's cloves cost the node n / k times the record, and sets of k cloves are
// tried where some are wrong.
inline constexpr std::uint8_t largest_n = 8;
inline constexpr std::uint8_t largest_expansion = 2;  // n / k
constexpr bool acceptable(Threshold threshold) {
    return threshold.k >= 1 && threshold.k <= threshold.n && threshold.n <= largest_n &&
           threshold.n <= largest_expansion * threshold.k;
}

// REQUIRES: k >= 1.
constexpr std::size_t fragment_size(std::size_t message_size, std::uint8_t k) {
    return (message_size + sealing_overhead + k - 1) / k;
}
constexpr std::size_t clove_size(std::size_t message_size, std::uint8_t k) {
    return clove_overhead + fragment_size(message_size, k);
}

// What all cloves of one message have in common. Key a table of messages in assembly by all of it, not by the id alone:
// then a forged clove that copies an id but states another threshold or size opens an entry of its own and cannot keep
// the true cloves out.
struct DispersedMessage {
    MessageId id;
    Threshold threshold;
    std::uint32_t size = 0;

    auto operator<=>(const DispersedMessage&) const = default;
};

// A parsed clove: views into the encoded bytes, which must outlive it.
struct CloveView {
    MessageId message;
    std::uint8_t n = 0;
    std::uint8_t k = 0;
    std::uint8_t index = 0;
    std::uint32_t message_size = 0;
    ByteView share;
    ByteView fragment;

    DispersedMessage dispersed() const { return {message, {n, k}, message_size}; }
    // Share and fragment, which are adjacent.
    ByteView body() const { return {share.data(), share.size() + fragment.size()}; }
};

// Error: malformed for another version, a threshold or index out of range, or a size that does not follow from the
// message size and k; invalid_argument for a message of more than maximum_message bytes. Allocates nothing.
Result<CloveView> parse_clove(ByteView encoded, std::size_t maximum_message);

// Appends a clove's header.
void append_clove_header(Bytes& out, const DispersedMessage& message, std::uint8_t index);

}  // namespace planetserve::dispersal
