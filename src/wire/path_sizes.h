// Sizes of what paths carry (docs/protocols/paths.md). All are the same for every path and position, so that a size
// tells a relay nothing.
#pragma once

#include <cstddef>

namespace planetserve::wire {

// A data cell's body. With its frame header and path id a cell is 1,436 bytes, and 1,458 as a TLS record of its own:
// two bytes less than a TCP segment of Ethernet over IPv4 without options, ten more than one with timestamps (1,448),
// as is usual. Cells that go together share records, and segments do not keep to them. Three cells carry a clove of an
// 8 KiB message at n = 4, k = 3: 2,792 bytes and 38 of size and envelope.
inline constexpr std::size_t cell_size = 1424;

// The longest path a set-up packet can describe; shorter ones look the same.
inline constexpr std::size_t maximum_path_length = 8;
// Per hop: flags (1), expiry in minutes (4), zero (3), next hop's node id (32), its ephemeral key (32), its MAC (16).
inline constexpr std::size_t setup_hop_size = 88;
// Ephemeral key (32), MAC (16), then the encrypted routing of all hops.
inline constexpr std::size_t setup_packet_size = 48 + maximum_path_length * setup_hop_size;

// One clove with its headers. A record is at most 16 KiB, so even k = 1 fits.
inline constexpr std::size_t maximum_record_size = 16 * 1024;
inline constexpr std::size_t maximum_clove_size = maximum_record_size + 1024;

}  // namespace planetserve::wire
