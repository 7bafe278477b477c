// The last frame on a link that is closed on purpose (docs/protocols/links.md): why, as a code that the peer's program
// acts on, and a detail for its log.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace planetserve::wire {

// Codes stay below 32: see parse_goodbye.
enum class GoodbyeReason : std::uint8_t {
    other = 0,                 // also every code that this version does not know
    idle = 1,                  // nothing but pings for long
    shutting_down = 2,         // the node ends
    no_room = 3,               // as many links as the node may have
    duplicate = 4,             // the link in the other direction is kept
    other_network = 5,         // the networks differ
    incompatible_version = 6,  // the link versions differ too much
};

// For logs: "shutting down".
std::string_view describe(GoodbyeReason reason);

struct Goodbye {
    GoodbyeReason reason = GoodbyeReason::other;
    std::string detail{};  // printable ASCII, may be empty

    bool operator==(const Goodbye&) const = default;
};

inline constexpr std::size_t maximum_goodbye_size = 256;

// Cuts the detail to what fits, and writes '?' for each byte that is not printable.
Bytes encode(const Goodbye& goodbye);
// Never fails: the link ends in any case. An unknown code means `other`. A payload whose first byte is a code no
// version will have (32 and above) is a sentence of link version 1: its reason is `other` and all of it is the detail.
Goodbye parse_goodbye(ByteView payload);

// Why a link is not taken: what the peer is told, and the error on this side.
struct Refusal {
    GoodbyeReason reason = GoodbyeReason::other;
    Error error;
};
using Admission = std::expected<void, Refusal>;

inline std::unexpected<Refusal> refuse(GoodbyeReason reason, ErrorCode code, std::string message) {
    return std::unexpected<Refusal>(Refusal{reason, {code, std::move(message)}});
}

}  // namespace planetserve::wire
