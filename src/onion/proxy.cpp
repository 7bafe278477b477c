#include "onion/proxy.h"

#include <algorithm>

namespace planetserve::onion {

Proxy::Proxy(Relay& relay, ProxyLimits limits, wire::FrameSender& sender)
    : relay_(relay), limits_(limits), sender_(sender) {
    relay_.set_endpoint(*this);
}

void Proxy::on_path_up(EndpointId path) { paths_.try_emplace(path); }

void Proxy::on_path_down(EndpointId id) {
    auto node = paths_.extract(id);
    if (node.empty()) return;
    queued_cells_ -= node.mapped().queue.size();
    for (auto& [number, stream] : node.mapped().streams) {
        by_handle_.erase(stream.handle);
        (void)sender_.send(stream.model, wire::FrameType::reply_closed, {stream.handle.bytes()});
    }
}

void Proxy::on_path_cell(EndpointId id, const InnerCell& cell) {
    auto found = paths_.find(id);
    if (found == paths_.end()) return;
    Path& path = found->second;
    switch (cell.head.command) {
        case Command::open:
            on_open(id, path, cell);
            return;
        case Command::data:
            on_data(id, path, cell);
            return;
        case Command::retarget:
            on_retarget(id, path, cell);
            return;
        case Command::close:
            close_stream(id, path, cell.head.stream, CloseReason::finished, Tell::model);
            return;
        case Command::credit: {
            ByteReader reader(cell.payload);
            std::uint32_t cells = reader.u32();
            if (!reader.finished() || !path.backward.on_credit(cells)) break;
            send_queue(id, path);
            return;
        }
        case Command::probe:
            relay_.send_backward(id, {Command::probe_echo},
                                 {cell.payload.first(std::min(cell.payload.size(), probe_size))});
            return;
        case Command::confirm:
        case Command::probe_echo:
            break;
    }
    relay_.close_path(id, DestroyReason::protocol);
}

void Proxy::on_open(EndpointId id, Path& path, const InnerCell& cell) {
    ByteReader reader(cell.payload);
    auto model = NodeId::from(reader.bytes(NodeId::size));
    auto handle = ReplyHandle::from(reader.bytes(ReplyHandle::size));
    if (!model || !handle || !reader.finished() || path.streams.contains(cell.head.stream) ||
        by_handle_.contains(*handle)) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    if (path.streams.size() >= limits_.maximum_streams_per_path || by_handle_.size() >= limits_.maximum_streams) {
        std::array<std::uint8_t, 1> reason{static_cast<std::uint8_t>(CloseReason::overloaded)};
        relay_.send_backward(id, {Command::close, cell.head.stream}, {reason});
        return;
    }
    path.streams.emplace(cell.head.stream, Stream{*model, *handle, {}});
    by_handle_.emplace(*handle, StreamKey{id, cell.head.stream});
}

void Proxy::on_retarget(EndpointId id, Path& path, const InnerCell& cell) {
    auto model = NodeId::from(cell.payload);
    if (!model) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    // This proxy may have closed the stream while the cell was under way.
    if (auto stream = path.streams.find(cell.head.stream); stream != path.streams.end()) stream->second.model = *model;
}

void Proxy::on_data(EndpointId id, Path& path, const InnerCell& cell) {
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
    const NodeId model = stream.model;
    auto clove = stream.assembly.add(cell);
    if (!clove) {
        relay_.close_path(id, DestroyReason::protocol);
        return;
    }
    if (*clove) {
        auto sent = sender_.send(model, wire::FrameType::clove_forward, {**clove});
        if (!sent) {
            auto reason =
                sent.error().code == ErrorCode::exhausted ? CloseReason::overloaded : CloseReason::unreachable;
            close_stream(id, path, cell.head.stream, reason, Tell::user);
            // Closing may have lost the path.
            if (!paths_.contains(id)) return;
        }
    }
    give_credit(id, path, model);
}

void Proxy::give_credit(EndpointId id, Path& path, const NodeId& model) {
    if (!model.is_zero() && sender_.queued_bytes(model) > limits_.link_high_water) {
        ++path.held_back;
        waiting_for_link_[model].insert(id);
        return;
    }
    grant(id, path);
}

void Proxy::grant(EndpointId id, Path& path) {
    std::uint32_t credit = path.forward.on_done();
    if (credit == 0) return;
    std::array<std::uint8_t, 4> cells{};
    store_big_endian(MutableByteView(cells), credit);
    relay_.send_backward(id, {Command::credit}, {cells});
}

void Proxy::on_drained(const NodeId& peer) {
    auto waiting = waiting_for_link_.extract(peer);
    if (waiting.empty()) return;
    for (EndpointId id : waiting.mapped()) {
        for (auto found = paths_.find(id); found != paths_.end() && found->second.held_back > 0;
             found = paths_.find(id)) {
            --found->second.held_back;
            grant(id, found->second);
        }
    }
}

void Proxy::on_clove_reply(const NodeId& from, ByteView payload) {
    ByteReader reader(payload);
    auto handle = ReplyHandle::from(reader.bytes(ReplyHandle::size));
    ByteView clove = reader.rest();
    if (!handle || clove.empty() || clove.size() > wire::maximum_clove_size) return;
    auto key = by_handle_.find(*handle);
    if (key == by_handle_.end()) {
        (void)sender_.send(from, wire::FrameType::reply_closed, {handle->bytes()});
        return;
    }
    auto [id, stream] = key->second;
    Path& path = paths_.at(id);
    if (path.queue.size() >= limits_.maximum_queued_cells || queued_cells_ >= limits_.maximum_queued_cells_in_all) {
        close_stream(id, path, stream, CloseReason::overloaded, Tell::both);
        return;
    }
    cut_clove(clove, [&](ClovePart part, ByteView size, ByteView bytes) {
        Bytes cell = to_bytes(size);
        append(cell, bytes);
        path.queue.push_back({stream, part, std::move(cell)});
        ++queued_cells_;
    });
    send_queue(id, path);
}

void Proxy::send_queue(EndpointId id, Path& path) {
    while (!path.queue.empty() && path.backward.may_send()) {
        QueuedCell cell = std::move(path.queue.front());
        path.queue.pop_front();
        --queued_cells_;
        path.backward.on_sent();
        if (!relay_.send_backward(id, {Command::data, cell.stream, cell.part}, {cell.payload}))
            return;  // the path is gone
    }
}

void Proxy::on_link_down(const NodeId& peer) {
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
    // A reason but `finished` drops the stream's queued cells. A clove that this cuts off in the middle is dropped at
    // the user.
    if (reason != CloseReason::finished)
        queued_cells_ -= std::erase_if(path.queue, [&](const QueuedCell& cell) { return cell.stream == number; });
    if (tell != Tell::user) (void)sender_.send(stream.model, wire::FrameType::reply_closed, {stream.handle.bytes()});
    if (tell != Tell::model) {
        std::array<std::uint8_t, 1> code{static_cast<std::uint8_t>(reason)};
        relay_.send_backward(id, {Command::close, number}, {code});
    }
}

}  // namespace planetserve::onion
