// How many links the process may have open files for.
#pragma once

#include <cstddef>

namespace planetserve::adapters {

// Raises the soft limit of open files to `wanted`, or to the hard limit where that is lower; returns the limit. It is
// the whole process's, and is never lowered.
std::size_t raise_descriptor_limit(std::size_t wanted);

// Descriptors for everything in a process that is not a link: files, the API's connections, timers.
inline constexpr std::size_t other_descriptors = 256;

// How many links fit besides so many handshakes and other descriptors. Under a low limit a quarter is for other
// descriptors, and half of the rest for handshakes.
std::size_t links_within(std::size_t descriptors, std::size_t handshakes);

}  // namespace planetserve::adapters
