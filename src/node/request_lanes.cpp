#include "node/request_lanes.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::node {

namespace {

// Before a lane that a proxy closed for overload is opened anew.
constexpr Duration lane_retry = 1s;

}  // namespace

void RequestLanes::begin(const NodeId& model_node) {
    for (LaneState& lane : lanes_) {
        REQUIRES(!lane.stream);
        lane = {};
    }
    model_node_ = model_node;
}

exchange::Lane RequestLanes::open(std::size_t lane, onion::PathNumber path) {
    REQUIRES(lane < lanes_.size() && !lanes_[lane].stream);
    auto handle = random_.id<ReplyHandle>();
    StreamKey key{path, pool_.open_stream(path, model_node_, handle)};
    lanes_[lane] = {key, false, {}};
    index_[key] = {request_, lane};
    return {pool_.find(path)->proxy(), handle};
}

void RequestLanes::drop(std::size_t lane) {
    if (!lanes_[lane].stream) return;
    index_.erase(*lanes_[lane].stream);
    lanes_[lane].stream.reset();
}

void RequestLanes::close_all() {
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        lanes_[lane].retry_at = {};
        if (!lanes_[lane].stream) continue;
        auto [path, stream] = *lanes_[lane].stream;
        drop(lane);
        pool_.close_stream(path, stream);
    }
}

void RequestLanes::retarget(const NodeId& model_node) {
    model_node_ = model_node;
    for (LaneState& lane : lanes_) {
        lane.unreachable = false;
        if (lane.stream) pool_.retarget_stream(lane.stream->first, lane.stream->second, model_node);
    }
}

void RequestLanes::send(std::size_t lane, ByteView envelope) {
    if (lanes_[lane].stream) pool_.send_clove(lanes_[lane].stream->first, lanes_[lane].stream->second, envelope);
}

std::size_t RequestLanes::unsent(std::size_t lane) const {
    if (!lanes_[lane].stream) return 0;
    const onion::ClientPath* path = pool_.find(lanes_[lane].stream->first);
    return path == nullptr ? 0 : path->queued_cells(lanes_[lane].stream->second);
}

void RequestLanes::on_closed(std::size_t lane, onion::CloseReason reason, Time now) {
    drop(lane);
    if (reason == onion::CloseReason::unreachable)
        lanes_[lane].unreachable = true;
    else
        lanes_[lane].retry_at = now + lane_retry;
}

std::size_t RequestLanes::unreachable() const {
    return static_cast<std::size_t>(std::ranges::count(lanes_, true, &LaneState::unreachable));
}

std::vector<RequestLanes::Replacement> RequestLanes::replacements(Time now) {
    for (LaneState& lane : lanes_)
        if (lane.retry_at <= now) lane.retry_at = {};
    auto free = pool_.usable();
    std::erase_if(free, [&](onion::PathNumber path) {
        return std::ranges::any_of(lanes_,
                                   [&](const LaneState& lane) { return lane.stream && lane.stream->first == path; });
    });
    std::vector<Replacement> replacements;
    for (std::size_t lane = 0; lane < lanes_.size() && !free.empty(); ++lane) {
        if (lanes_[lane].stream || lanes_[lane].unreachable || lanes_[lane].retry_at != Time{}) continue;
        replacements.push_back({lane, free.back()});
        free.pop_back();
    }
    return replacements;
}

Time RequestLanes::next_retry() const {
    Time next = Time::max();
    for (const LaneState& lane : lanes_)
        if (!lane.stream && !lane.unreachable && lane.retry_at != Time{}) next = std::min(next, lane.retry_at);
    return next;
}

std::optional<onion::PathNumber> RequestLanes::path(std::size_t lane) const {
    return lanes_[lane].stream ? std::optional(lanes_[lane].stream->first) : std::nullopt;
}

std::string RequestLanes::paths() const {
    std::string paths;
    for (const LaneState& lane : lanes_)
        if (lane.stream)
            paths += (paths.empty() ? "" : ",") + std::to_string(static_cast<std::uint64_t>(lane.stream->first));
    return paths;
}

}  // namespace planetserve::node
