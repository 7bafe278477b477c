// The proxy: the last hop of a path, which carries cloves between the path and model nodes (docs/protocols/paths.md).
//
// The user opens a stream on the path for each request. It names a model node, and a random handle: any model node
// that was told the handle may answer under it. The proxy sees whole cloves, sealed and dispersed, and nothing else.
// Bounds: streams a path and in all, one clove in assembly a stream, cells queued a path. Not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "onion/relay.h"

namespace planetserve::onion {

struct ProxyLimits {
    std::size_t maximum_streams_per_path = 64;  // requests of one user at once
    std::size_t maximum_streams = 4096;
    // Cells waiting for credit on one path. A stream that adds more is closed: its user does not read.
    std::size_t maximum_queued_cells = 1024;
    // The same over all paths: 45 MB.
    std::size_t maximum_queued_cells_in_all = 32768;
    // Bytes. While more waits for a model node's link, a path gets no credit for cells to that node.
    std::size_t link_high_water = 1 << 20;
};

class Proxy final : public PathEndpoint {
public:
    Proxy(Relay& relay, ProxyLimits limits, wire::FrameSender& sender);

    void on_path_up(EndpointId path) override;
    void on_path_cell(EndpointId path, const InnerCell& cell) override;
    void on_path_down(EndpointId path) override;

    // A clove from a model node: reply handle, then the clove.
    void on_clove_reply(const NodeId& from, ByteView payload);
    // A model node is gone or its queue has room again.
    void on_link_down(const NodeId& peer);
    void on_drained(const NodeId& peer);

    std::size_t streams() const { return by_handle_.size(); }

private:
    struct Stream {
        NodeId model;
        ReplyHandle handle;
        CloveAssembly assembly;
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
    };
    struct StreamKey {
        EndpointId path{};
        StreamId stream = 0;
        auto operator<=>(const StreamKey&) const = default;
    };

    // Who is told of a stream's end: the user, with the reason; the model node, so that it stops.
    enum class Tell { user, model, both };

    void on_open(EndpointId id, Path& path, const InnerCell& cell);
    void on_data(EndpointId id, Path& path, const InnerCell& cell);
    void on_retarget(EndpointId id, Path& path, const InnerCell& cell);
    // A forward cell was processed: grants credit, unless much waits for the model node's link.
    void give_credit(EndpointId id, Path& path, const NodeId& model);
    void grant(EndpointId id, Path& path);
    void send_queue(EndpointId id, Path& path);
    void close_stream(EndpointId id, Path& path, StreamId stream, CloseReason reason, Tell tell);

    Relay& relay_;
    ProxyLimits limits_;
    wire::FrameSender& sender_;
    // Events that concern several paths or streams take them in the order of their numbers: the frames sent must not
    // depend on a hash table's order.
    std::unordered_map<EndpointId, Path> paths_;
    std::unordered_map<ReplyHandle, StreamKey, IdHash> by_handle_;
    std::unordered_map<NodeId, std::set<EndpointId>, IdHash> waiting_for_link_;
    std::size_t queued_cells_ = 0;
};

}  // namespace planetserve::onion
