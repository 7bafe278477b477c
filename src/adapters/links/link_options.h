// Limits and deadlines of links. See docs/protocols/links.md for why each is what it is.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace planetserve::adapters {

struct LinkOptions {
    std::size_t maximum_links = 2048;
    std::size_t maximum_handshakes = 128;             // accepted and not yet ready, besides the links
    std::size_t maximum_handshakes_per_address = 32;  // of one IPv4 address or IPv6 /64
    std::size_t maximum_queue = 16 << 20;             // bytes to one peer; more is refused
    std::size_t high_water = 1 << 20;                 // crossing it downwards is told as an event
    std::size_t maximum_inbound_rate = 512 << 20;     // bytes a second from one peer, averaged over one
    Duration dial_deadline = 5s;
    Duration handshake_deadline = 5s;
    Duration ping_after = 15s;  // of hearing nothing
    Duration pong_deadline = 10s;
    Duration idle_close = 5min;  // without a frame but pings
    Duration evict_after = 30s;  // without a frame but pings: given up for another link when there is no more room
    Duration backoff_first = 200ms;
    Duration backoff_most = 30s;
};

struct LinkCounters {
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
};

}  // namespace planetserve::adapters
