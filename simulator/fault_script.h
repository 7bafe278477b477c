// Faults at virtual times, written down: what happens to which nodes, and when.
//
//     # a line a fault; nodes by number, as the list that the script is scheduled with has them
//     10s    crash 3,5-7                    the processes die: links are reset
//     10s    vanish 3                       the machine falls silent, unannounced
//     10s    separate 0-9 for 30s           these and all others do not reach each other
//     12.5s  slow 4 by 200ms for 20s        all that they send takes so much longer
//     12s    corrupt 4 every 7 for 20s      one bit of every seventh frame that they send is changed
//     12s    drop 4 every 7                 every seventh is lost; without `for` it stays so
//
// Times count from where the script is scheduled: a number and `ms`, `s` or `min`. A node that crashed or vanished
// stays away until its owner attaches it again.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "simulator/network.h"

namespace planetserve::simulator {

struct Fault {
    enum class Kind { crash, vanish, separate, slow, corrupt, drop };
    Duration at{};
    Kind kind{};
    std::vector<std::size_t> nodes{};
    Duration by{};            // slow
    std::uint32_t every = 0;  // corrupt, drop
    Duration lasts{};         // zero: for ever
    std::string text{};       // as it was written, for the trace
};

// Refuses the whole script when a line is wrong, naming the line.
Result<std::vector<Fault>> parse_faults(std::string_view script);

// Fails with `invalid_argument` for a number beyond the nodes. The queue, the network and the trace (or null) outlive
// what is scheduled.
Status schedule_faults(const std::vector<Fault>& faults, const std::vector<NodeId>& nodes, EventQueue& events,
                       Network& network, Trace* trace);

}  // namespace planetserve::simulator
