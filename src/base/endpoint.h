// Where a node listens: "host:port", "[v6]:port". Host is an address or a name; port is 1 to 65535.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace planetserve {

struct Endpoint {
    std::string host;
    std::uint16_t port = 0;

    auto operator<=>(const Endpoint&) const = default;
    std::string to_string() const;
    // Whether the host is an IP address, without a scope, and not a name that somebody would have to resolve.
    bool has_ip_address() const;
    static Result<Endpoint> parse(std::string_view text);
};

}  // namespace planetserve
