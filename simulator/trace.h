// What happened on the virtual network, in order: a hash that two runs from one seed share, and on request a line an
// event.
//
// The hash covers the time, the two nodes, and of a delivered frame its type and every byte; of a lost link who was
// told; of a fault its text. So it is the same in two processes only when nothing that nodes send depends on addresses
// in memory, the order of a hash table, or the machine's clocks and randomness. Lines are CSV after a header:
//
//     time_us,event,node,peer,frame,bytes,hash
//     61240,delivered,1b2c3d4e,9f8e7d6c,path_cell,1432,5c1f0e9a8b7d6c5e     node got it from peer; hash: of all so far
//     61302,link_down,1b2c3d4e,9f8e7d6c,,,...                               node was told that peer is gone
//     70000000,"crash 3",,,,,...                                            a fault (fault_script.h)
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string_view>

#include "base/ids.h"
#include "base/time.h"
#include "wire/frame.h"

namespace planetserve::simulator {

class Trace {
public:
    // Of the hash alone, or with lines; the stream outlives the trace.
    Trace() = default;
    explicit Trace(std::ostream& lines);

    void delivered(Time now, const NodeId& from, const NodeId& to, wire::FrameType type, ByteView payload);
    void link_down(Time now, const NodeId& told, const NodeId& lost);
    void fault(Time now, std::string_view what);

    std::uint64_t hash() const { return hash_; }
    std::uint64_t events() const { return events_; }

private:
    void add(std::uint64_t word);
    void add(ByteView bytes);
    void begin(Time now, std::uint64_t kind);
    void write(Time now, std::string_view event, const NodeId* node, const NodeId* peer, std::string_view frame,
               std::size_t bytes);

    std::ostream* lines_ = nullptr;
    std::uint64_t hash_ = 0x9E3779B97F4A7C15ULL;
    std::uint64_t events_ = 0;
};

}  // namespace planetserve::simulator
