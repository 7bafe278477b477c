#include "onion/client_path.h"

namespace planetserve::onion {

Result<std::unique_ptr<ClientPath>> ClientPath::build(std::vector<SetupHop> hops, UnixTime expires, PathTiming timing,
                                                      Time now, wire::FrameSender& sender, Random& random) {
    auto setup = build_setup(hops, expiry_minutes(expires), random);
    if (!setup) return std::unexpected(setup.error());
    std::unique_ptr<ClientPath> path(new ClientPath(std::move(hops), timing, now, sender));
    path->id_ = random.id<PathId>();
    path->keys_ = std::move(setup->keys);
    auto sent = sender.send(path->first_hop(), wire::FrameType::path_setup, {path->id_.bytes(), setup->packet});
    if (!sent) return std::unexpected(sent.error());
    return path;
}

StreamId ClientPath::open_stream(const NodeId& model, const ReplyHandle& handle) {
    StreamId stream = next_stream_++;
    streams_.try_emplace(stream);
    send_cell(Command::open, false, stream, {model.bytes(), handle.bytes()});
    return stream;
}

bool ClientPath::send_clove(StreamId stream, ByteView clove) {
    if (state_ != State::up || !streams_.contains(stream)) return false;
    cut_clove(clove, [&](bool first, ByteView size, ByteView part) {
        Bytes payload = to_bytes(size);
        append(payload, part);
        queue_.push_back({stream, first, std::move(payload)});
    });
    send_queue();
    return true;
}

void ClientPath::retarget_stream(StreamId stream, const NodeId& model) {
    if (state_ == State::up && streams_.contains(stream)) send_cell(Command::retarget, false, stream, {model.bytes()});
}

void ClientPath::close_stream(StreamId stream) {
    if (streams_.erase(stream) == 0 || state_ != State::up) return;
    std::erase_if(queue_, [&](const QueuedCell& cell) { return cell.stream == stream; });
    std::array<std::uint8_t, 1> reason{static_cast<std::uint8_t>(CloseReason::finished)};
    send_cell(Command::close, false, stream, {reason});
}

std::vector<PathEvent> ClientPath::on_cell(MutableByteView body, Time now) {
    std::vector<PathEvent> events;
    if (state_ == State::down) return events;
    for (std::size_t hop = 0; hop + 1 < keys_.size(); ++hop)
        crypto::stream_xor(keys_[hop].backward, backward_count_, body);
    if (!open_cell(keys_.back().backward, backward_count_++, body)) {
        go_down(DestroyReason::protocol, true, events);
        return events;
    }
    auto cell = read_inner(body);
    if (!cell) {
        go_down(DestroyReason::protocol, true, events);
        return events;
    }
    heard_at_ = now;
    on_inner(*cell, now, events);
    return events;
}

void ClientPath::on_inner(const InnerCell& cell, Time now, std::vector<PathEvent>& events) {
    if (state_ == State::building) {
        if (cell.command != Command::confirm) return go_down(DestroyReason::protocol, true, events);
        state_ = State::up;
        was_up_ = true;
        setup_time_ = now - built_at_;
        round_trip_ = setup_time_;
        events.push_back({.kind = PathEvent::Kind::up});
        return;
    }
    switch (cell.command) {
        case Command::data:
            return on_data(cell, events);
        case Command::close:
            // Either end may close first; the two may cross.
            if (streams_.erase(cell.stream) > 0) {
                std::erase_if(queue_, [&](const QueuedCell& queued) { return queued.stream == cell.stream; });
                std::uint8_t reason = cell.payload.empty() ? 0 : std::min<std::uint8_t>(cell.payload[0], 3);
                events.push_back({.kind = PathEvent::Kind::stream_closed,
                                  .stream = cell.stream,
                                  .close_reason = static_cast<CloseReason>(reason)});
            }
            return;
        case Command::credit: {
            ByteReader reader(cell.payload);
            std::uint32_t cells = reader.u32();
            if (!reader.finished() || !forward_.on_credit(cells)) return go_down(DestroyReason::protocol, true, events);
            return send_queue();
        }
        case Command::probe_echo:
            if (probed_at_) round_trip_ = now - *std::exchange(probed_at_, std::nullopt);
            return;
        case Command::confirm:
        case Command::open:
        case Command::retarget:
        case Command::probe:
            return go_down(DestroyReason::protocol, true, events);
    }
}

void ClientPath::on_data(const InnerCell& cell, std::vector<PathEvent>& events) {
    if (!backward_.on_received()) return go_down(DestroyReason::protocol, true, events);
    auto stream = streams_.find(cell.stream);
    if (stream != streams_.end()) {
        auto clove = stream->second.add(cell);
        if (!clove) return go_down(DestroyReason::protocol, true, events);
        if (*clove)
            events.push_back({.kind = PathEvent::Kind::clove, .stream = cell.stream, .clove = std::move(**clove)});
    }
    if (std::uint32_t credit = backward_.on_done(); credit > 0) {
        std::array<std::uint8_t, 4> cells{};
        store_big_endian(MutableByteView(cells), credit);
        send_cell(Command::credit, false, 0, {cells});
    }
}

std::vector<PathEvent> ClientPath::on_destroy(DestroyReason reason) {
    std::vector<PathEvent> events;
    go_down(reason, false, events);
    return events;
}

std::vector<PathEvent> ClientPath::on_timer(Time now) {
    std::vector<PathEvent> events;
    if (state_ == State::building && now >= built_at_ + timing_.setup_deadline) {
        go_down(DestroyReason::timed_out, true, events);
    } else if (state_ == State::up && probed_at_ && now >= *probed_at_ + timing_.probe_deadline) {
        go_down(DestroyReason::timed_out, true, events);
    } else if (state_ == State::up && !probed_at_ && now >= next_timer()) {
        probed_at_ = now;
        std::array<std::uint8_t, 8> nonce{};
        send_cell(Command::probe, false, 0, {nonce});
    }
    return events;
}

Time ClientPath::next_timer() const {
    switch (state_) {
        case State::building:
            return built_at_ + timing_.setup_deadline;
        case State::up:
            if (probed_at_) return *probed_at_ + timing_.probe_deadline;
            return heard_at_ + (streams_.empty() ? timing_.probe_idle : timing_.probe_busy);
        case State::down:
            break;
    }
    return Time::max();
}

void ClientPath::destroy(DestroyReason reason) {
    std::vector<PathEvent> ignored;
    go_down(reason, true, ignored);
}

bool ClientPath::send_cell(Command command, bool first, StreamId stream, std::initializer_list<ByteView> parts) {
    CellBody body;
    write_inner(body, command, first, stream, parts);
    seal_cell(keys_.back().forward, forward_count_, body);
    for (std::size_t hop = keys_.size() - 1; hop-- > 0;) crypto::stream_xor(keys_[hop].forward, forward_count_, body);
    ++forward_count_;
    // A cell that cannot be queued leaves a gap in the count, which the proxy takes for tampering: the path goes down
    // at its next timer or by the link's own loss.
    return sender_.send(first_hop(), wire::FrameType::path_cell, {id_.bytes(), body}).has_value();
}

void ClientPath::send_queue() {
    while (!queue_.empty() && forward_.may_send()) {
        forward_.on_sent();
        QueuedCell cell = std::move(queue_.front());
        queue_.pop_front();
        send_cell(Command::data, cell.first, cell.stream, {cell.payload});
    }
}

void ClientPath::go_down(DestroyReason reason, bool tell, std::vector<PathEvent>& events) {
    if (state_ == State::down) return;
    state_ = State::down;
    queue_.clear();
    if (tell) {
        std::array<std::uint8_t, 1> code{
            static_cast<std::uint8_t>(reason == DestroyReason::timed_out ? DestroyReason::finished : reason)};
        (void)sender_.send(first_hop(), wire::FrameType::path_destroy, {id_.bytes(), code});
    }
    events.push_back({.kind = PathEvent::Kind::down, .down_reason = reason});
}

}  // namespace planetserve::onion
