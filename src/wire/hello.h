// The first frame on every link, from both ends (docs/protocols/links.md): which protocol, which network, who speaks.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"

namespace planetserve::wire {

using NetworkId = FixedBytes<struct NetworkIdTag, 32>;

inline constexpr std::uint16_t protocol_version = 1;
// The oldest version that this one understands.
inline constexpr std::uint16_t oldest_compatible_version = 1;

enum class Role : std::uint8_t { user = 1, model = 2, verifier = 3 };

struct Hello {
    std::uint16_t version = protocol_version;
    std::uint16_t oldest_compatible = oldest_compatible_version;
    NetworkId network;
    Role role = Role::user;
    std::string software;  // at most 64 printable characters
};

Bytes encode(const Hello& hello);
Result<Hello> parse_hello(ByteView bytes);
// Whether two ends can talk: an error names what differs and what to do.
Status check_compatible(const Hello& own, const Hello& other);

}  // namespace planetserve::wire
