// The relay: what every user node does for others' paths (docs/protocols/paths.md).
//
// A relay knows of a path its predecessor, its successor, the id each of them calls it by, and two symmetric keys. It
// takes set-up packets, cells, tear-downs and losses of neighbours, and sends the same onward. When it is the last hop
// of a path, the opened cells go to a PathEndpoint (the proxy) instead.
//
// Bounds: relayed and proxied paths and remembered set-ups, in all and from one neighbour, the rate of set-ups from one
// neighbour, lifetime of a path. What is in flight on a path is bounded by the flow windows of its ends; a neighbour
// whose queue is full loses the path, not the relay its memory. Not thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "base/ids.h"
#include "base/random.h"
#include "base/slot_index.h"
#include "base/time.h"
#include "crypto/agreement.h"
#include "onion/cell.h"
#include "onion/relay_admission.h"
#include "onion/setup.h"
#include "wire/frame.h"

namespace planetserve::onion {

enum class DestroyReason : std::uint8_t {
    finished = 0,   // its builder is done with it
    expired = 1,    // its lifetime is over
    link_lost = 2,  // a neighbour is gone
    refused = 3,    // the set-up was not acceptable
    full = 4,       // a bound was reached
    protocol = 5,   // a cell that does not open, or breaks the rules
    timed_out = 6,  // no answer within the deadline; only ever given locally
};
std::string_view to_string(DestroyReason reason);

// Numbers the paths that end at this node; never reused.
enum class EndpointId : std::uint64_t {};

// What a path's last hop does with it.
class PathEndpoint {
public:
    virtual ~PathEndpoint() = default;
    virtual void on_path_up(EndpointId path) = 0;
    virtual void on_path_cell(EndpointId path, const InnerCell& cell) = 0;
    virtual void on_path_down(EndpointId path) = 0;
};

struct RelayLimits {
    std::size_t maximum_paths = 4096;  // at most 2^20
    std::size_t maximum_paths_per_peer = 1024;
    Duration maximum_lifetime = 1h;
    AdmissionLimits admission;
};

struct RelayCounters {
    std::uint64_t cells_relayed = 0;
    std::uint64_t cells_refused = 0;
    std::uint64_t setups_accepted = 0;
    std::uint64_t setups_refused = 0;
};

class Relay {
public:
    // The sender, the random source and the endpoint outlive the relay.
    Relay(const NodeId& self, const crypto::AgreementKey& onion_key, RelayLimits limits, wire::FrameSender& sender,
          Random& random);

    void set_endpoint(PathEndpoint& endpoint) { endpoint_ = &endpoint; }

    // Frames from a neighbour. The payload of a cell is changed in place.
    void on_setup(const NodeId& from, ByteView payload, const Now& now);
    void on_cell(const NodeId& from, MutableByteView payload);
    void on_destroy(const NodeId& from, ByteView payload);
    void on_link_down(const NodeId& peer);
    void on_timer(Time now);
    // Not after on_timer has something to do; Time::max() when never.
    Time next_timer() const { return next_expiry_; }

    // For the endpoint: sends a cell towards the path's builder, or ends the path. False when the path is gone.
    bool send_backward(EndpointId path, const CellHead& head, std::initializer_list<ByteView> parts);
    void close_path(EndpointId path, DestroyReason reason);

    std::size_t paths() const { return paths_.size() - free_.size(); }
    const RelayCounters& counters() const { return counters_; }

private:
    struct Side {
        NodeId peer;
        PathId id;
        auto operator<=>(const Side&) const = default;
    };
    // Counts the paths that were made, above slot_bits; below is where the path is kept. So numbers are never reused,
    // and are in the order of making.
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
    };

    // The sides of a path that are told of its end.
    enum class Tell { previous, next, both };

    static std::size_t hash(const Side& side) { return IdHash{}(side.peer) ^ (IdHash{}(side.id) << 1); }
    // Null when there is none; either is valid until a path is made.
    Path* find(const Side& side);
    Path* find(PathNumber number);
    Path& keep(Path path);
    Status accept_setup(const Side& previous, ByteView packet, const Now& now);
    void send_destroy(const Side& to, DestroyReason reason);
    void forward_cell(Path& path, MutableByteView body);
    void remove(PathNumber number, DestroyReason reason, Tell tell);

    NodeId self_;
    crypto::AgreementKey onion_key_;
    RelayLimits limits_;
    wire::FrameSender& sender_;
    Random& random_;
    PathEndpoint* endpoint_ = nullptr;

    // What a cell needs lies in its path's slot, found by one look-up; what is rare looks through all slots.
    std::vector<Path> paths_;
    std::vector<Slot> free_;
    SlotIndex by_side_;
    std::uint64_t made_ = 0;
    Time next_expiry_ = Time::max();  // of no path is it earlier
    // For the bound on paths from one neighbour.
    std::unordered_map<NodeId, std::size_t, IdHash> built_by_peer_;
    RelayAdmission admission_;
    RelayCounters counters_;
};

}  // namespace planetserve::onion
