#include "onion/proxy.h"

#include <algorithm>
#include <limits>
#include <tuple>

namespace planetserve::onion {

Proxy::Proxy(Relay& relay, ProxyLimits limits, wire::FrameSender& sender)
    : relay_(relay), limits_(limits), sender_(sender) {
    relay_.set_endpoint(*this);
}

void Proxy::on_path_up(EndpointId path) { paths_.try_emplace(path); }

void Proxy::on_path_down(EndpointId id) {
    auto node = paths_.extract(id);
    if (node.empty()) return;
    to_models_.drop_from({id, NodeId{}}, [id](const ToModel& key) { return key.path == id; });
    queued_cells_ -= node.mapped().queue.size();
    most_cells_.change(id, node.mapped().queue.size(), 0);
    most_streams_.change(id, node.mapped().streams.size(), 0);
    for (auto& [number, stream] : node.mapped().streams) {
        by_handle_.erase(stream.handle);
        (void)sender_.send(stream.model, wire::FrameType::reply_closed, {stream.handle.bytes()});
    }
}

void Proxy::on_path_cell(EndpointId id, const InnerCell& cell, Time now) {
    auto found = paths_.find(id);
    if (found == paths_.end()) return;
    Path& path = found->second;
    switch (cell.head.command) {
        case Command::data:
            return on_data(id, path, cell, now);
        case Command::credit:
            return on_credit(id, path, cell);
        case Command::confirm:
        case Command::probe_echo:
            return relay_.close_path(id, DestroyReason::protocol);
        case Command::open:
        case Command::retarget:
        case Command::close:
        case Command::probe:
            break;
    }
    // No window holds these back.
    if (!path.control.take(limits_.control_cells, now)) {
        ++counters_.paths_refused;
        return relay_.close_path(id, DestroyReason::full);
    }
    if (cell.head.command == Command::open)
        on_open(id, path, cell, now);
    else if (cell.head.command == Command::retarget)
        on_retarget(id, path, cell, now);
    else if (cell.head.command == Command::close)
        close_stream(id, path, cell.head.stream, CloseReason::finished, Tell::model);
    else
        relay_.send_backward(id, {Command::probe_echo},
                             {cell.payload.first(std::min(cell.payload.size(), probe_size))});
}

// The window bounds credit itself: nobody can grant more than was sent. To grant none is no use.
void Proxy::on_credit(EndpointId id, Path& path, const InnerCell& cell) {
    ByteReader reader(cell.payload);
    std::uint32_t cells = reader.u32();
    if (!reader.finished() || cells == 0 || !path.backward.on_credit(cells))
        return relay_.close_path(id, DestroyReason::protocol);
    send_queue(id, path);
}

void Proxy::on_open(EndpointId id, Path& path, const InnerCell& cell, Time now) {
    ByteReader reader(cell.payload);
    auto model = NodeId::from(reader.bytes(NodeId::size));
    auto handle = ReplyHandle::from(reader.bytes(ReplyHandle::size));
    if (!model || !handle || !reader.finished() || path.streams.contains(cell.head.stream) ||
        by_handle_.contains(*handle)) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    // A proxy dials whom it is told to: not for strangers, and not nodes that did not ask for requests.
    if (!is_model_node_(*model)) return refuse_stream(id, cell.head.stream, CloseReason::unreachable);
    if (!make_room(id, path)) return refuse_stream(id, cell.head.stream, CloseReason::overloaded);
    path.streams.emplace(cell.head.stream, Stream{*model, *handle, {}, now});
    most_streams_.change(id, path.streams.size() - 1, path.streams.size());
    by_handle_.emplace(*handle, StreamKey{id, cell.head.stream});
    next_idle_ = std::min(next_idle_, now + limits_.stream_idle);
}

bool Proxy::make_room(EndpointId id, const Path& path) {
    if (path.streams.size() >= limits_.maximum_streams_per_path) return false;
    if (by_handle_.size() < limits_.maximum_streams) return true;
    // A path with fewer streams than another gets one of the other's.
    if (path.streams.size() + 1 >= most_streams_.share()) return false;
    const EndpointId richest = most_streams_.key();
    Path& other = paths_.at(richest);
    auto idlest = std::ranges::min_element(other.streams, {}, [](const auto& item) { return item.second.used_at; });
    ++counters_.streams_evicted;
    close_stream(richest, other, idlest->first, CloseReason::overloaded, Tell::both);
    return paths_.contains(id);
}

void Proxy::refuse_stream(EndpointId id, StreamId stream, CloseReason reason) {
    ++counters_.streams_refused;
    std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(reason)};
    relay_.send_backward(id, {Command::close, stream}, {code});
}

void Proxy::on_retarget(EndpointId id, Path& path, const InnerCell& cell, Time now) {
    auto model = NodeId::from(cell.payload);
    if (!model) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    auto stream = path.streams.find(cell.head.stream);
    if (stream == path.streams.end()) return;  // this proxy closed it while the cell was under way
    if (!is_model_node_(*model)) return close_stream(id, path, cell.head.stream, CloseReason::unreachable, Tell::both);
    stream->second.model = *model;
    stream->second.used_at = now;
}

void Proxy::on_data(EndpointId id, Path& path, const InnerCell& cell, Time now) {
    if (!path.forward.on_received()) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    auto found = path.streams.find(cell.head.stream);
    if (found == path.streams.end()) {  // closed while the cell was under way
        give_credit(id, path, NodeId{});
        return;
    }
    Stream& stream = found->second;
    stream.used_at = now;
    const NodeId model = stream.model;
    auto clove = stream.assembly.add(cell);
    if (!clove) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    if (*clove && !forward(id, cell.head.stream, model, std::move(**clove))) return;
    give_credit(id, path, model);
}

bool Proxy::forward(EndpointId id, StreamId stream, const NodeId& model, Bytes clove) {
    if (!to_models_.waits_for(model) && sender_.queued_bytes(model) <= limits_.link_high_water) {
        auto sent = sender_.send(model, wire::FrameType::clove_forward, {clove});
        if (!sent) give_up(id, stream, sent);
        return paths_.contains(id);  // closing a stream may lose the path
    }
    const std::uint32_t cells = cells_of_clove(clove.size());
    to_models_.push(relay_.neighbour(id), model, {id, model}, {stream, std::move(clove), cells}, cells);
    while (to_models_.cells() > limits_.maximum_waiting_cells) {
        ++counters_.paths_evicted;
        relay_.close_path(to_models_.longest().path, DestroyReason::full);
    }
    return paths_.contains(id);
}

void Proxy::give_up(EndpointId id, StreamId stream, const Status& sent) {
    auto path = paths_.find(id);
    if (path == paths_.end()) return;
    const bool full = sent.error().code == ErrorCode::exhausted;
    close_stream(id, path->second, stream, full ? CloseReason::overloaded : CloseReason::unreachable, Tell::user);
}

void Proxy::give_credit(EndpointId id, Path& path, const NodeId& model) {
    if (!model.is_zero() && (to_models_.waits({id, model}) || sender_.queued_bytes(model) > limits_.link_high_water)) {
        ++path.held_back;
        waiting_for_link_[model].insert(id);
        return;
    }
    grant(id, path);
}

void Proxy::grant_held_back(EndpointId id, std::uint32_t cells) {
    for (; cells > 0; --cells) {
        auto found = paths_.find(id);
        if (found == paths_.end() || found->second.held_back == 0) return;
        --found->second.held_back;
        grant(id, found->second);
    }
}

void Proxy::grant(EndpointId id, Path& path) {
    std::uint32_t credit = path.forward.on_done();
    if (credit == 0) return;
    std::array<std::uint8_t, 4> cells{};
    store_big_endian(MutableByteView(cells), credit);
    relay_.send_backward(id, {Command::credit}, {cells});
}

void Proxy::on_drained(const NodeId& peer) {
    // What follows of it may end paths, and so change the queues.
    std::vector<std::pair<EndpointId, std::uint32_t>> done;
    std::vector<std::tuple<EndpointId, StreamId, Status>> lost;
    auto room = [&] { return sender_.queued_bytes(peer) <= limits_.link_high_water; };
    to_models_.drain(peer, room, [&](const ToModel& key, const WaitingClove& waiting) {
        auto sent = sender_.send(peer, wire::FrameType::clove_forward, {waiting.clove});
        if (!sent) lost.emplace_back(key.path, waiting.stream, sent);
        done.emplace_back(key.path, waiting.cells);
        return true;
    });
    for (const auto& [id, stream, sent] : lost) give_up(id, stream, sent);
    for (const auto& [id, cells] : done) grant_held_back(id, cells);
    if (to_models_.waits_for(peer)) return;
    auto waiting = waiting_for_link_.extract(peer);
    if (waiting.empty()) return;
    for (EndpointId id : waiting.mapped()) grant_held_back(id, std::numeric_limits<std::uint32_t>::max());
}

void Proxy::on_clove_reply(const NodeId& from, ByteView payload, Time now) {
    ByteReader reader(payload);
    auto handle = ReplyHandle::from(reader.bytes(ReplyHandle::size));
    ByteView clove = reader.rest();
    if (!handle || clove.empty() || clove.size() > wire::maximum_clove_size) return;
    auto key = by_handle_.find(*handle);
    if (key == by_handle_.end()) {
        (void)sender_.send(from, wire::FrameType::reply_closed, {handle->bytes()});
        return;
    }
    const auto [id, stream] = key->second;
    Path& path = paths_.at(id);
    path.streams.at(stream).used_at = now;
    const std::size_t waited = path.queue.size();
    cut_clove(clove, [&](ClovePart part, ByteView size, ByteView bytes) {
        Bytes cell = to_bytes(size);
        append(cell, bytes);
        path.queue.push_back({stream, part, std::move(cell)});
    });
    queued_cells_ += path.queue.size() - waited;
    most_cells_.change(id, waited, path.queue.size());
    send_queue(id, path);
    // Not the stream that came last, which may hold little, but the one that holds most.
    for (auto full = paths_.find(id); full != paths_.end() && full->second.queue.size() > limits_.maximum_queued_cells;
         full = paths_.find(id))
        close_longest(id);
    while (queued_cells_ > limits_.maximum_queued_cells_in_all) close_longest(most_cells_.key());
}

void Proxy::close_longest(EndpointId id) {
    Path& path = paths_.at(id);
    std::map<StreamId, std::size_t> cells;
    for (const QueuedCell& cell : path.queue) ++cells[cell.stream];
    auto longest = std::ranges::max_element(cells, {}, [](const auto& item) { return item.second; });
    ++counters_.streams_evicted;
    close_stream(id, path, longest->first, CloseReason::overloaded, Tell::both);
}

void Proxy::send_queue(EndpointId id, Path& path) {
    while (!path.queue.empty() && path.backward.may_send()) {
        QueuedCell cell = std::move(path.queue.front());
        path.queue.pop_front();
        --queued_cells_;
        path.backward.on_sent();
        most_cells_.change(id, path.queue.size() + 1, path.queue.size());
        if (!relay_.send_backward(id, {Command::data, cell.stream, cell.part}, {cell.payload}))
            return;  // the path is gone
    }
}

void Proxy::on_timer(Time now) {
    if (now < next_idle_) return;
    std::vector<StreamKey> idle;
    next_idle_ = Time::max();
    for (const auto& [handle, key] : by_handle_) {
        const Time due = paths_.at(key.path).streams.at(key.stream).used_at + limits_.stream_idle;
        if (due <= now)
            idle.push_back(key);
        else
            next_idle_ = std::min(next_idle_, due);
    }
    std::ranges::sort(idle);
    for (const StreamKey& key : idle) {
        auto path = paths_.find(key.path);
        if (path == paths_.end()) continue;
        ++counters_.streams_idle;
        close_stream(key.path, path->second, key.stream, CloseReason::overloaded, Tell::both);
    }
}

void Proxy::on_link_down(const NodeId& peer) {
    to_models_.drop_link(peer);
    on_drained(peer);
    std::vector<StreamKey> lost;
    for (auto& [handle, key] : by_handle_)
        if (paths_.at(key.path).streams.at(key.stream).model == peer) lost.push_back(key);
    std::ranges::sort(lost);
    for (const StreamKey& key : lost) {
        auto path = paths_.find(key.path);
        if (path != paths_.end())
            close_stream(key.path, path->second, key.stream, CloseReason::unreachable, Tell::user);
    }
}

void Proxy::close_stream(EndpointId id, Path& path, StreamId number, CloseReason reason, Tell tell) {
    auto node = path.streams.extract(number);
    if (node.empty()) return;
    const Stream& stream = node.mapped();
    by_handle_.erase(stream.handle);
    most_streams_.change(id, path.streams.size() + 1, path.streams.size());
    // A clove that this cuts off in the middle is dropped at the user.
    const std::size_t dropped =
        std::erase_if(path.queue, [&](const QueuedCell& cell) { return cell.stream == number; });
    queued_cells_ -= dropped;
    most_cells_.change(id, path.queue.size() + dropped, path.queue.size());
    if (tell != Tell::user) (void)sender_.send(stream.model, wire::FrameType::reply_closed, {stream.handle.bytes()});
    if (tell != Tell::model) {
        std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(reason)};
        relay_.send_backward(id, {Command::close, number}, {code});
    }
}

}  // namespace planetserve::onion
