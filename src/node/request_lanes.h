// The lanes of one attempt of a request: which stream on which of the user's paths carries each, and when a lost lane
// may be opened anew. Pure; not thread-safe.
#pragma once

#include <map>
#include <vector>

#include "exchange/messages.h"
#include "onion/path_pool.h"

namespace planetserve::node {

using RequestNumber = std::uint64_t;
using StreamKey = std::pair<onion::PathNumber, onion::StreamId>;
// Which request's lane a stream is.
struct LaneOfRequest {
    RequestNumber request = 0;
    std::size_t lane = 0;
};
using StreamIndex = std::map<StreamKey, LaneOfRequest>;

class RequestLanes {
public:
    // The pool, the index and the random source outlive it.
    RequestLanes(RequestNumber request, std::size_t count, onion::PathPool& pool, StreamIndex& index, Random& random)
        : request_(request), pool_(pool), index_(index), random_(random), lanes_(count) {}

    std::size_t size() const { return lanes_.size(); }
    // A new attempt: no lane is open. Requires: the lanes of the one before were closed.
    void begin(const NodeId& model_node);
    // Opens the lane on a path. Requires: the lane is not open.
    exchange::Lane open(std::size_t lane, onion::PathNumber path);
    bool is_open(std::size_t lane) const { return lanes_[lane].stream.has_value(); }
    // The lane's path or stream is gone.
    void drop(std::size_t lane);
    void close_all();
    // All open lanes lead to another model node from now on.
    void retarget(const NodeId& model_node);

    // A lane that is not open loses the envelope.
    void send(std::size_t lane, ByteView envelope);
    // Cells that the lane still holds back.
    std::size_t unsent(std::size_t lane) const;

    // The proxy closed the stream. Drops the lane; it may be opened anew on another path, unless the proxy could not
    // reach the model node.
    void on_closed(std::size_t lane, onion::CloseReason reason, Time now);
    // Lanes whose proxies could not reach the model node.
    std::size_t unreachable() const;

    // A lane to be opened anew, and the path for it, if there is one.
    struct Replacement {
        std::size_t lane = 0;
        onion::PathNumber path{};
    };
    std::vector<Replacement> replacements(Time now);
    // When the next lane may be opened anew; Time::max() when none waits for the time to pass. A lane that waits for a
    // path is not among them: the owner learns of a new path.
    Time next_retry() const;

    std::optional<onion::PathNumber> path(std::size_t lane) const;
    // The paths of the open lanes, separated by commas.
    std::string paths() const;

private:
    struct LaneState {
        std::optional<StreamKey> stream;
        bool unreachable = false;  // the proxy could not reach the model node
        Time retry_at{};
    };

    RequestNumber request_;
    onion::PathPool& pool_;
    StreamIndex& index_;
    Random& random_;
    NodeId model_node_;
    std::vector<LaneState> lanes_;
};

}  // namespace planetserve::node
