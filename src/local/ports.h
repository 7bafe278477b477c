// TCP ports on 127.0.0.1.
#pragma once

#include <cstdint>

#include "base/random.h"
#include "base/result.h"

namespace planetserve::local {

// True when the port can be listened on.
bool port_is_free(std::uint16_t port);
// A port that is free now, chosen by the kernel.
Result<std::uint16_t> free_port();
// A free port that stays free: it lies below those that the kernel gives to connections.
Result<std::uint16_t> lasting_port(Random& random);

}  // namespace planetserve::local
