// The relay: what every user node does for others' paths (docs/protocols/paths.md).
//
// A relay holds of a path its predecessor, its successor, the id each of them calls it by, and two symmetric keys. By
// the time from set-up to the first cell back it also knows its position: an entry relay knows that its predecessor
// built the path (docs/threat-model.md). It takes set-up packets, cells, tear-downs and losses of neighbours, and
// passes them on. When it is the last hop of a path, the opened cells go to a PathEndpoint (the proxy) instead.
//
// Bounds: relayed and proxied paths and remembered set-ups, in all and from one neighbour, the rate of set-ups from one
// neighbour, lifetime and idleness of a path. The flow windows of a path's ends bound the cells in flight. Cells for a
// link with much to send wait here, by neighbour and path, and go out in turn; where too many wait, the longest path of
// the neighbour that brought most of them ends.
// Not thread-safe.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/slot_index.h"
#include "base/time.h"
#include "crypto/agreement.h"
#include "onion/cell.h"
#include "onion/link_queues.h"
#include "onion/relay_admission.h"
#include "onion/setup.h"
#include "wire/frame.h"

namespace planetserve::onion {

enum class DestroyReason : std::uint8_t {
    finished = 0,   // its builder does not need it any more
    expired = 1,    // its lifetime is over
    link_lost = 2,  // a neighbour is gone
    refused = 3,    // the set-up was not acceptable
    full = 4,       // a bound was reached
    protocol = 5,   // a cell that does not open, or breaks the rules
    timed_out = 6,  // no answer within the deadline; never on the wire
};
std::string_view to_string(DestroyReason reason);

// Numbers the paths that end at this node; never reused.
enum class EndpointId : std::uint64_t {};

// The last hop's use of a path.
class PathEndpoint {
public:
    virtual ~PathEndpoint() = default;
    virtual void on_path_up(EndpointId path) = 0;
    virtual void on_path_cell(EndpointId path, const InnerCell& cell, Time now) = 0;
    virtual void on_path_down(EndpointId path) = 0;
};

struct RelayLimits {
    std::size_t maximum_paths = 4096;           // under 1 MB; at most 2^20
    std::size_t maximum_paths_per_peer = 1024;  // and no more than are left for others
    Duration maximum_lifetime = 1h;             // bounds how long replay tags are remembered
    // Without a cell from the builder, who probes at least every 15 s, or grants credit for each 64 cells.
    Duration idle = 2min;
    // Bytes. Beyond it, what goes to a neighbour waits by path. As LinkOptions::high_water, whose event ends the wait.
    std::size_t link_high_water = 256 << 10;
    // Cells that wait for links, of one path and direction: two windows. Its ends do not keep to their windows.
    std::size_t maximum_queued_cells_per_path = 512;
    // The same over all paths: 47 MB.
    std::size_t maximum_queued_cells = 32768;
    AdmissionLimits admission;
};

struct RelayCounters {
    std::uint64_t cells_relayed = 0;
    std::uint64_t cells_refused = 0;
    std::uint64_t setups_accepted = 0;
    std::uint64_t setups_refused = 0;
    std::uint64_t paths_idle = 0;     // ended, since their builders sent nothing
    std::uint64_t paths_evicted = 0;  // ended, since they held most of what waited for links
};

class Relay {
public:
    // The sender, the random source and the endpoint outlive the relay.
    Relay(const NodeId& self, const crypto::AgreementKey& onion_key, RelayLimits limits, wire::FrameSender& sender,
          Random& random);

    void set_endpoint(PathEndpoint& endpoint) { endpoint_ = &endpoint; }
    RelayAdmission& admission() { return admission_; }

    // Frames from a neighbour. The payload of a cell is changed in place.
    void on_setup(const NodeId& from, ByteView payload, const Now& now);
    void on_cell(const NodeId& from, MutableByteView payload, Time now);
    void on_destroy(const NodeId& from, ByteView payload);
    void on_link_down(const NodeId& peer);
    // The neighbour's queue, which was above the high-water mark, has room.
    void on_drained(const NodeId& peer);
    void on_timer(Time now);
    // When on_timer is due, at the latest; Time::max() when never.
    Time next_timer() const { return next_expiry_; }

    // For the endpoint: the neighbour that brings the path's cells. REQUIRES: the path is there.
    const NodeId& neighbour(EndpointId path) const;
    // For the endpoint: sends a cell towards the path's builder, or ends the path. False when the path is gone.
    bool send_backward(EndpointId path, const CellHead& head, std::initializer_list<ByteView> parts);
    void close_path(EndpointId path, DestroyReason reason);

    std::size_t paths() const { return paths_.size() - free_.size(); }
    // Cells that wait for links.
    std::size_t queued_cells() const { return queues_.cells(); }
    const RelayCounters& counters() const { return counters_; }

private:
    struct Side {
        NodeId peer;
        PathId id;
        auto operator<=>(const Side&) const = default;
    };
    // Above slot_bits the count of paths made, below it the path's slot. So numbers are never reused, and grow in the
    // order in which paths were made.
    using PathNumber = std::uint64_t;
    using Slot = SlotIndex::Slot;
    static constexpr unsigned slot_bits = 20;
    struct alignas(64) Path {
        PathNumber number = 0;  // 0: the slot is free
        Side previous;
        Side next;  // unused when last
        bool last = false;
        HopKeys keys;
        std::uint64_t forward_count = 0;
        std::uint64_t backward_count = 0;
        Time expires;
        Time heard;  // when its builder last sent a cell
    };
    enum class Towards { builder, proxy };
    struct QueueKey {
        PathNumber path = 0;
        Towards towards{};
        auto operator<=>(const QueueKey&) const = default;
    };

    // The sides of a path that are told of its end.
    enum class Tell { previous, next, both };

    static std::size_t hash(const Side& side) { return IdHash{}(side.peer) ^ (IdHash{}(side.id) << 1); }
    // Null when there is none. Valid until a path is made.
    Path* find(const Side& side);
    Path* find(PathNumber number) { return const_cast<Path*>(std::as_const(*this).find(number)); }
    const Path* find(PathNumber number) const;
    Path& keep(Path path);
    Status accept_setup(const Side& previous, ByteView packet, const Now& now);
    void send_destroy(const Side& to, DestroyReason reason);
    void forward_cell(Path& path, MutableByteView body, Time now);
    // Sends the cell, or keeps it until the link has room. False when the path ended over it.
    bool pass_on(const Path& path, Towards towards, ByteView body);
    Time due(const Path& path) const { return std::min(path.expires, path.heard + limits_.idle); }
    void remove(PathNumber number, DestroyReason reason, Tell tell);

    NodeId self_;
    crypto::AgreementKey onion_key_;
    RelayLimits limits_;
    wire::FrameSender& sender_;
    Random& random_;
    PathEndpoint* endpoint_ = nullptr;

    // A cell finds its path's slot by one look-up. Rare events search all slots.
    std::vector<Path> paths_;
    std::vector<Slot> free_;
    SlotIndex by_side_;
    std::uint64_t made_ = 0;
    Time next_expiry_ = Time::max();  // no path expires, or is idle for too long, earlier
    LinkQueues<QueueKey> queues_;
    // For the bound on paths from one neighbour.
    std::unordered_map<NodeId, std::size_t, IdHash> built_by_peer_;
    RelayAdmission admission_;
    RelayCounters counters_;
};

}  // namespace planetserve::onion
