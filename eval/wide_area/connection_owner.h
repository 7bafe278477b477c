// Which process has one end of a TCP connection over the loopback, as /proc tells. Linux only, and only of processes
// whose open files this user may see.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace planetserve::eval {

// The one of these processes that holds the end at 127.0.0.1:`own`, of the connection whose other end is at `other`.
// None while the kernel lists no such connection, or when it is none of theirs.
std::optional<pid_t> connection_owner(std::uint16_t own, std::uint16_t other, const std::vector<pid_t>& processes);

}  // namespace planetserve::eval
