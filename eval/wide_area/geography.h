// Where nodes are, and how long frames between them take: what the simulator is given as its delay.
#pragma once

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "base/ids.h"
#include "eval/wide_area/regions.h"

namespace planetserve::eval {

struct Place {
    std::size_t region = 0;
    Duration line{};  // of the node's own, there and back
};

inline Duration round_trip(const Place& one, const Place& other) {
    return region_round_trip(one.region, other.region) + one.line + other.line;
}

// A link takes its dialler three round trips: TCP's handshake, TLS 1.3's, and the hellos; frames wait for it meanwhile.
inline constexpr int link_round_trips = 3;

class Geography {
public:
    explicit Geography(const Clock& clock) : clock_(clock) {}

    void put(const NodeId& node, const Place& place) { places_[node] = place; }
    const Place& place(const NodeId& node) const { return places_.at(node); }
    Duration between(const NodeId& one, const NodeId& other) const { return round_trip(place(one), place(other)); }

    // All links that are asked for are up already, or are not unless they were used or connected before.
    void keep_links_up(bool always) { always_up_ = always; }
    void forget_links() { ready_.clear(); }
    void connect(const NodeId& one, const NodeId& other) { ready_[pair(one, other)] = clock_.now(); }

    // Of a frame sent now, one way.
    Duration delay(const NodeId& from, const NodeId& to) {
        Duration trip = between(from, to);
        if (always_up_) return trip / 2;
        auto [link, is_new] = ready_.try_emplace(pair(from, to), clock_.now() + link_round_trips * trip);
        return std::max(Duration{}, link->second - clock_.now()) + trip / 2;
    }

private:
    static std::pair<NodeId, NodeId> pair(const NodeId& one, const NodeId& other) { return std::minmax(one, other); }

    const Clock& clock_;
    std::unordered_map<NodeId, Place, IdHash> places_;
    std::map<std::pair<NodeId, NodeId>, Time> ready_;
    bool always_up_ = false;
};

}  // namespace planetserve::eval
