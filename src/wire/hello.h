// The first frame on every link, from both ends (docs/protocols/links.md): its version, its network, its role.
#pragma once

#include <cstdint>
#include <string>

#include "base/ids.h"
#include "base/result.h"
#include "wire/goodbye.h"

namespace planetserve::wire {

using NetworkId = FixedBytes<struct NetworkIdTag, 32>;

// Version 2: a goodbye gives its reason as a code.
inline constexpr std::uint16_t link_version = 2;
// The oldest version that this one understands.
inline constexpr std::uint16_t oldest_link_version = 2;

enum class Role : std::uint8_t { user = 1, model = 2, verifier = 3 };

struct Hello {
    std::uint16_t version = link_version;
    std::uint16_t oldest_compatible = oldest_link_version;
    NetworkId network;
    Role role = Role::user;
    std::string software;  // at most 64 printable characters
};

Bytes encode(const Hello& hello);
Result<Hello> parse_hello(ByteView bytes);
// Whether two ends can talk: a refusal names what differs, with both values, and what to do.
Admission check_compatible(const Hello& own, const Hello& other);

}  // namespace planetserve::wire
