// Limits and deadlines of links (docs/protocols/links.md).
#pragma once

#include <cstdint>

#include "base/token_bucket.h"

namespace planetserve::adapters {

struct LinkOptions {
    // Each link needs a file descriptor; most systems give a process 1,024 at first, and more on demand.
    std::size_t maximum_links = 2048;
    // Accepted and not yet ready, besides the links: anybody can begin a handshake.
    std::size_t maximum_handshakes = 128;
    // Of one IPv4 address or IPv6 /64, so that one machine leaves room for others.
    std::size_t maximum_handshakes_per_address = 32;
    // Accepted from one address, ready or not: an eighth of all, and enough for the nodes behind one NAT or of a
    // network on one machine.
    std::size_t maximum_links_per_address = 256;
    // Begun by one address: each costs some signatures and agreements, under 1 ms.
    TokenRate handshakes_of_address{16, 256};
    // Bytes to one peer; more is refused. Room for several of the largest frames.
    std::size_t maximum_queue = 16 << 20;
    // Bytes. A queue that was above it and falls to half of it is told as an event. Relays fill a queue so far: 0.1 s
    // of a line of 20 Mbit/s, which is what one path can delay others by.
    std::size_t high_water = 256 << 10;
    // Bytes a second from one peer, averaged over one second: more than a gigabit line carries.
    std::size_t maximum_inbound_rate = 512 << 20;
    // Bytes of incomplete frames of all links. Beyond it, the link ends whose frame is the oldest.
    std::size_t maximum_incomplete = 64 << 20;
    // For the rest of a frame that began: a line of 150 kbit/s brings the largest.
    Duration frame_deadline = 60s;
    Duration dial_deadline = 5s;
    Duration handshake_deadline = 5s;
    // Without a byte from the peer. Shorter than the timeouts of most NATs.
    Duration ping_after = 15s;
    Duration pong_deadline = 10s;
    // Without a frame other than pings.
    Duration idle_close = 5min;
    // Without a frame other than pings, a link may be closed to make room for another. Paths probe every 15 s.
    Duration evict_after = 30s;
    Duration backoff_first = 200ms;
    Duration backoff_most = 30s;
    // For favoured peers: their callers have a back-off of their own, and two that multiply made a node join 14 s late.
    Duration favoured_backoff_most = 1s;
    // Takes calls whatever its role; otherwise only a verification node does. For benchmarks, whose nodes are told by
    // calls what to do.
    bool takes_calls = false;
};

struct LinkCounters {
    std::uint64_t frames_in = 0;
    std::uint64_t frames_out = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    std::uint64_t frames_skipped = 0;  // of types that a node of this role does not take
};

}  // namespace planetserve::adapters
