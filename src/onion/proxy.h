// The proxy: the last hop of a path, which carries cloves between the path and model nodes (docs/protocols/paths.md).
//
// The user opens a stream on the path for each request. It names a model node, and a random handle: any model node
// that was told the handle may answer under it. The proxy sees whole cloves, sealed and dispersed, and nothing else.
//
// Bounds: streams a path and in all, their idleness, one clove in assembly a stream, cells that wait for credit, cells
// that carry no data. Where a bound of all paths is reached, the path that holds most loses a stream. Not thread-safe.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>

#include "base/token_bucket.h"
#include "onion/most.h"
#include "onion/relay.h"

namespace planetserve::onion {

struct ProxyLimits {
    std::size_t maximum_streams_per_path = 64;  // requests of one user at once
    std::size_t maximum_streams = 4096;
    // Cells waiting for credit on one path. Beyond it the stream with most of them is closed: its user does not read.
    std::size_t maximum_queued_cells = 1024;
    // The same over all paths: 45 MB.
    std::size_t maximum_queued_cells_in_all = 32768;
    // Without a cell or a reply. A model node at work sends a heartbeat every 5 s; where its reader pauses it sends
    // none, and a user opens a stream anew that it still needs.
    Duration stream_idle = 60s;
    // Cells of one path that carry no data, so that they are outside of its window: probes, streams opened, pointed at
    // another node and closed. A user opens and closes a stream for each request, and probes once a second.
    TokenRate control_cells{256, 512};
    // Bytes. While more waits for a model node's link, cloves for it wait here, by neighbour and path, and a path gets
    // no credit for cells to that node. So a path may have its window here, and the cloves of its streams that were in
    // assembly.
    std::size_t link_high_water = 256 << 10;
    // Cells of such cloves, of all paths: 45 MB. Beyond it, the longest path of the neighbour that brought most ends.
    std::size_t maximum_waiting_cells = 32768;
};

struct ProxyCounters {
    std::uint64_t streams_evicted = 0;  // closed, since their paths held most of what is bounded
    std::uint64_t streams_idle = 0;
    std::uint64_t streams_refused = 0;  // not opened
    std::uint64_t paths_refused = 0;    // ended: too many cells without data
    std::uint64_t paths_evicted = 0;    // ended, since they held most of what waits for model nodes
};

class Proxy final : public PathEndpoint {
public:
    Proxy(Relay& relay, ProxyLimits limits, wire::FrameSender& sender);

    // Says of a node whether it is listed as a model node. Only such nodes are sent anything; without it, any node.
    using IsModelNode = std::function<bool(const NodeId&)>;
    void set_destinations(IsModelNode is_model_node) { is_model_node_ = std::move(is_model_node); }

    void on_path_up(EndpointId path) override;
    void on_path_cell(EndpointId path, const InnerCell& cell, Time now) override;
    void on_path_down(EndpointId path) override;

    // A clove from a model node: reply handle, then the clove.
    void on_clove_reply(const NodeId& from, ByteView payload, Time now);
    // A model node is gone or its queue has room again.
    void on_link_down(const NodeId& peer);
    void on_drained(const NodeId& peer);
    void on_timer(Time now);
    // When on_timer is due, at the latest; Time::max() when never.
    Time next_timer() const { return next_idle_; }

    std::size_t streams() const { return by_handle_.size(); }
    // Cells that wait for credit.
    std::size_t queued_cells() const { return queued_cells_; }
    // Of cloves that wait for links to model nodes.
    std::size_t waiting_cells() const { return to_models_.cells(); }
    const ProxyCounters& counters() const { return counters_; }

private:
    struct Stream {
        NodeId model;
        ReplyHandle handle;
        CloveAssembly assembly;
        Time used_at;
    };
    struct QueuedCell {
        StreamId stream = 0;
        ClovePart part = ClovePart::further;
        Bytes payload;
    };
    struct Path {
        std::map<StreamId, Stream> streams;
        FlowWindow forward;
        FlowWindow backward;
        std::deque<QueuedCell> queue;
        std::uint32_t held_back = 0;  // forward cells processed whose credit waits for a slow link
        TokenBucket control;
    };
    struct StreamKey {
        EndpointId path{};
        StreamId stream = 0;
        auto operator<=>(const StreamKey&) const = default;
    };

    struct ToModel {
        EndpointId path{};
        NodeId model;
        auto operator<=>(const ToModel&) const = default;
    };
    struct WaitingClove {
        StreamId stream = 0;
        Bytes clove;
        std::uint32_t cells = 0;
    };

    // Who is told of a stream's end: the user, with the reason; the model node, so that it stops.
    enum class Tell { user, model, both };

    void on_open(EndpointId id, Path& path, const InnerCell& cell, Time now);
    void on_data(EndpointId id, Path& path, const InnerCell& cell, Time now);
    void on_credit(EndpointId id, Path& path, const InnerCell& cell);
    void on_retarget(EndpointId id, Path& path, const InnerCell& cell, Time now);
    // Room for one more stream of the path; false when it must not have one.
    bool make_room(EndpointId id, const Path& path);
    // Closes the stream that has most cells waiting for the path's credit.
    void close_longest(EndpointId id);
    void refuse_stream(EndpointId id, StreamId stream, CloseReason reason);
    // Sends the clove, or keeps it until the model node's link has room. False when the path ended over it.
    bool forward(EndpointId id, StreamId stream, const NodeId& model, Bytes clove);
    // The stream's clove could not be sent.
    void give_up(EndpointId id, StreamId stream, const Status& sent);
    // A forward cell was processed: grants credit, unless much waits for the model node's link.
    void give_credit(EndpointId id, Path& path, const NodeId& model);
    // Grants the credit of so many cells that was held back.
    void grant_held_back(EndpointId id, std::uint32_t cells);
    void grant(EndpointId id, Path& path);
    void send_queue(EndpointId id, Path& path);
    void close_stream(EndpointId id, Path& path, StreamId stream, CloseReason reason, Tell tell);

    Relay& relay_;
    ProxyLimits limits_;
    wire::FrameSender& sender_;
    IsModelNode is_model_node_ = [](const NodeId&) { return true; };
    // Events that concern several paths or streams take them in the order of their numbers: the frames sent must not
    // depend on a hash table's order.
    std::unordered_map<EndpointId, Path> paths_;
    std::unordered_map<ReplyHandle, StreamKey, IdHash> by_handle_;
    std::unordered_map<NodeId, std::set<EndpointId>, IdHash> waiting_for_link_;
    LinkQueues<ToModel, WaitingClove> to_models_;
    std::size_t queued_cells_ = 0;
    Most<EndpointId> most_cells_;
    Most<EndpointId> most_streams_;
    Time next_idle_ = Time::max();  // no stream is idle for too long earlier
    ProxyCounters counters_;
};

}  // namespace planetserve::onion
