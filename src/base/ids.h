// Strong types for identifiers. A NodeId is a node's long-term Ed25519 public key: who knows the id of a node can check
// that it reached that node.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "base/bytes.h"

namespace planetserve {

// N bytes that mean one thing. Tag keeps, say, a key from being passed as a node id.
template <typename Tag, std::size_t N>
struct FixedBytes {
    static constexpr std::size_t size = N;
    std::array<std::uint8_t, N> value{};

    auto operator<=>(const FixedBytes&) const = default;
    ByteView bytes() const { return value; }
    bool is_zero() const { return *this == FixedBytes{}; }
    std::string hex() const { return to_hex(value); }
    // The first 8 hex digits, for people.
    std::string brief() const { return hex().substr(0, 8); }

    // Empty unless exactly N bytes are given.
    static std::optional<FixedBytes> from(ByteView bytes) {
        if (bytes.size() != N) return std::nullopt;
        FixedBytes id;
        std::memcpy(id.value.data(), bytes.data(), N);
        return id;
    }
    static std::optional<FixedBytes> from_hex(std::string_view text) {
        auto bytes = planetserve::from_hex(text);
        return bytes ? from(*bytes) : std::nullopt;
    }
};

using NodeId = FixedBytes<struct NodeIdTag, 32>;
// Names one hop of a path on one link; chosen at random by the node nearer to the path's builder.
using PathId = FixedBytes<struct PathIdTag, 8>;
// The bearer token under which a model node's reply reaches one stream of one path at its proxy.
using ReplyHandle = FixedBytes<struct ReplyHandleTag, 16>;
// Groups the cloves of one dispersed message.
using MessageId = FixedBytes<struct MessageIdTag, 16>;
// The user's name for a request. Retries keep it, so that the request runs once.
using IdempotencyId = FixedBytes<struct IdempotencyIdTag, 16>;

// Hashes with a per-process secret, since peers choose many ids and could aim them at one bucket.
struct IdHash {
    template <typename Tag, std::size_t N>
    std::size_t operator()(const FixedBytes<Tag, N>& id) const {
        return mix(id.value.data(), N);
    }

private:
    static std::size_t mix(const std::uint8_t* data, std::size_t size);
};

}  // namespace planetserve
