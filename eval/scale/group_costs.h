// What model nodes of one group tell each other, by their own code: so many of them, each answering at a rate.
#pragma once

#include <cstdint>

#include "base/time.h"

namespace planetserve::eval {

struct GroupCost {
    double sync_bytes_a_second = 0;  // that one node sends
    double sync_frames_a_second = 0;
    double memory_bytes = 0;  // of one node
    double cpu_share = 0;     // of a core, of one node
};

// Each node runs `rate` requests a second: prompts of 4 to 12 KiB that begin like one of 64 others, by Zipf's law.
GroupCost measure_group(std::size_t nodes, double rate, Duration measured, std::uint64_t seed);

}  // namespace planetserve::eval
