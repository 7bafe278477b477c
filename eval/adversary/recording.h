// What every node of a simulated network sees of paths and requests, so that any choice of them can be the adversary's.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <vector>

#include "exchange/envelope.h"
#include "simulator/network.h"

namespace planetserve::eval {

// A path as one of its relays sees it.
struct PathSeen {
    NodeId relay;
    NodeId previous;
    std::optional<NodeId> next;  // none at the proxy
    Time setup;
    std::optional<Time> confirmed;   // the first cell back
    bool built_by_previous = false;  // the truth, which the relay is not told
};

// Arrivals of cells at that relay during one round of requests.
struct CellsSeen {
    std::vector<Time> forward;
    std::vector<Time> backward;
};

// One clove of a request on its way from a proxy to the model node, and what the model node sent back that way.
struct LaneSeen {
    NodeId proxy;
    Time left_proxy{};
    Time arrived{};
    std::vector<Time> replies_left;
    std::vector<Time> replies_arrived;
};

struct RequestSeen {
    NodeId model;
    std::vector<LaneSeen> lanes;  // of each proxy that brought a clove
};

struct RoundSeen {
    Duration length{};
    std::map<std::size_t, CellsSeen> cells;  // by the place in Recorder::paths
    std::vector<RequestSeen> requests;
};

class Recorder {
public:
    using PathKey = std::tuple<NodeId, NodeId, PathId>;

    // Call with every frame that arrives, before the node takes it, and after_arrival when it has; and with every frame
    // as it is sent.
    void on_arrival(Time now, const NodeId& from, const NodeId& to, wire::FrameType type, ByteView payload);
    void after_arrival() { relaying_.reset(); }
    void on_sent(Time now, const simulator::Frame& frame);

    // Cells and cloves are recorded within rounds only.
    void begin_round() { round_.emplace(); }
    RoundSeen end_round(Duration length);

    const std::vector<PathSeen>& paths() const { return paths_; }

private:
    static std::optional<PathKey> key_of(const NodeId& at, const NodeId& peer, ByteView payload);
    void on_setup_arrival(Time now, const NodeId& from, const NodeId& to, ByteView payload);
    void on_cell_arrival(Time now, const NodeId& from, const NodeId& to, ByteView payload);
    LaneSeen* find_lane(const NodeId& model, const NodeId& proxy);

    std::vector<PathSeen> paths_;
    std::map<PathKey, std::size_t> by_previous_;
    std::map<PathKey, std::size_t> by_next_;
    std::set<PathKey> built_;  // set-ups that began where they were sent
    std::optional<std::size_t> relaying_;
    std::optional<RoundSeen> round_;
    std::map<exchange::ExchangeId, std::size_t> by_exchange_;  // of this round
};

}  // namespace planetserve::eval
