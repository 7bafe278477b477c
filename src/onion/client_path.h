// One path at its builder: the keys of every hop, flow control, the cloves of its streams, probes
// (docs/protocols/paths.md). Not thread-safe.
#pragma once

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <vector>

#include "onion/cell.h"
#include "onion/path_cipher.h"
#include "onion/relay.h"
#include "onion/setup.h"
#include "wire/frame.h"

namespace planetserve::onion {

struct PathTiming {
    Duration setup_deadline = 5s;
    // A probe is sent after this long without a cell: while streams are open, and while none is.
    Duration probe_busy = 1s;
    Duration probe_idle = 15s;
    Duration probe_deadline = 3s;
};

// What happened on a path, for its owner.
struct PathEvent {
    enum class Kind { up, clove, stream_closed, down };
    Kind kind{};
    StreamId stream = 0;
    Bytes clove{};
    CloseReason close_reason{};
    DestroyReason down_reason{};
};

class ClientPath {
public:
    enum class State { building, up, down };

    // Builds the set-up packet and sends it to the first hop. The sender outlives the path.
    static Result<std::unique_ptr<ClientPath>> build(std::vector<SetupHop> hops, UnixTime expires, PathTiming timing,
                                                     Time now, wire::FrameSender& sender, Random& random);

    State state() const { return state_; }
    const std::vector<SetupHop>& hops() const { return hops_; }
    const NodeId& first_hop() const { return hops_.front().id; }
    const NodeId& proxy() const { return hops_.back().id; }
    const PathId& id() const { return id_; }
    bool was_up() const { return was_up_; }
    Duration setup_time() const { return setup_time_; }
    Duration round_trip() const { return round_trip_; }
    std::size_t open_streams() const { return streams_.size(); }
    std::size_t queued_cells() const { return queue_.size(); }
    // Cells of one stream that wait for the flow window.
    std::size_t queued_cells(StreamId stream) const {
        return static_cast<std::size_t>(
            std::count_if(queue_.begin(), queue_.end(), [&](const QueuedCell& cell) { return cell.stream == stream; }));
    }

    // Opens a stream to a model node whose replies come under the handle. Requires: state() == up.
    StreamId open_stream(const NodeId& model, const ReplyHandle& handle);
    // Queues a clove; false when the stream is not open. Cells go out as the flow window allows.
    bool send_clove(StreamId stream, ByteView clove);
    // Later cloves of the stream go to another model node. Its replies come under the same handle.
    void retarget_stream(StreamId stream, const NodeId& model);
    void close_stream(StreamId stream);

    // A cell, a tear-down, the loss of the first hop's link, the passing of time. Each returns what happened.
    std::vector<PathEvent> on_cell(MutableByteView body, Time now);
    std::vector<PathEvent> on_destroy(DestroyReason reason);
    std::vector<PathEvent> on_timer(Time now);
    Time next_timer() const;
    // Tells the relays that the path is over. No event.
    void destroy(DestroyReason reason);

private:
    ClientPath(std::vector<SetupHop> hops, std::vector<HopKeys> keys, PathTiming timing, Time now,
               wire::FrameSender& sender, Random& random)
        : hops_(std::move(hops)),
          timing_(timing),
          sender_(sender),
          id_(random.id<PathId>()),
          cipher_(std::move(keys)),
          built_at_(now),
          heard_at_(now) {}

    struct QueuedCell {
        StreamId stream = 0;
        ClovePart part = ClovePart::further;
        Bytes payload;
    };

    // Whether the relays are told that the path is down.
    enum class Tell { relays, nobody };

    bool send_cell(const CellHead& head, std::initializer_list<ByteView> parts);
    void send_queue();
    void go_down(DestroyReason reason, Tell tell, std::vector<PathEvent>& events);
    void on_inner(const InnerCell& cell, Time now, std::vector<PathEvent>& events);
    void on_data(const InnerCell& cell, std::vector<PathEvent>& events);

    std::vector<SetupHop> hops_;
    PathTiming timing_;
    wire::FrameSender& sender_;
    PathId id_;
    PathCipher cipher_;
    State state_ = State::building;
    bool was_up_ = false;
    Time built_at_;
    Time heard_at_;
    std::optional<Time> probed_at_;
    Duration setup_time_{};
    Duration round_trip_{};
    FlowWindow forward_;
    FlowWindow backward_;
    std::unordered_map<StreamId, CloveAssembly> streams_;
    std::deque<QueuedCell> queue_;
    StreamId next_stream_ = 1;
};

}  // namespace planetserve::onion
