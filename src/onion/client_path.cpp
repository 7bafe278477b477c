#include "onion/client_path.h"

#include "base/requires.h"

namespace planetserve::onion {

Result<std::unique_ptr<ClientPath>> ClientPath::build(std::vector<SetupHop> hops, UnixTime expires, PathTiming timing,
                                                      Time now, wire::FrameSender& sender, Random& random) {
    auto setup = build_setup(hops, expiry_minutes(expires), random);
    if (!setup) return std::unexpected(setup.error());
    std::unique_ptr<ClientPath> path(
        new ClientPath(std::move(hops), std::move(setup->keys), timing, now, sender, random));
    auto sent = sender.send(path->first_hop(), wire::FrameType::path_setup, {path->id_.bytes(), setup->packet});
    if (!sent) return std::unexpected(sent.error());
    return path;
}

StreamId ClientPath::open_stream(const NodeId& model, const ReplyHandle& handle) {
    REQUIRES(state_ == State::up);
    StreamId stream = next_stream_++;
    streams_.try_emplace(stream);
    send_cell({Command::open, stream}, {model.bytes(), handle.bytes()});
    return stream;
}

bool ClientPath::send_clove(StreamId stream, ByteView clove) {
    if (state_ != State::up || !streams_.contains(stream)) return false;
    cut_clove(clove, [&](ClovePart part, ByteView size, ByteView bytes) {
        Bytes payload = to_bytes(size);
        append(payload, bytes);
        queue_.push_back({stream, part, std::move(payload)});
    });
    send_queue();
    return true;
}

void ClientPath::retarget_stream(StreamId stream, const NodeId& model) {
    if (state_ == State::up && streams_.contains(stream)) send_cell({Command::retarget, stream}, {model.bytes()});
}

void ClientPath::close_stream(StreamId stream) {
    if (streams_.erase(stream) == 0 || state_ != State::up) return;
    std::erase_if(queue_, [&](const QueuedCell& cell) { return cell.stream == stream; });
    std::array<std::uint8_t, 1> reason{static_cast<std::uint8_t>(CloseReason::finished)};
    send_cell({Command::close, stream}, {reason});
}

std::vector<PathEvent> ClientPath::on_cell(MutableByteView body, Time now) {
    std::vector<PathEvent> events;
    if (state_ == State::down) return events;
    if (!cipher_.open(body)) {
        go_down(DestroyReason::protocol, Tell::relays, events);
        return events;
    }
    auto cell = read_inner(body);
    if (!cell) {
        go_down(DestroyReason::protocol, Tell::relays, events);
        return events;
    }
    heard_at_ = now;
    on_inner(*cell, now, events);
    return events;
}

void ClientPath::on_inner(const InnerCell& cell, Time now, std::vector<PathEvent>& events) {
    if (state_ == State::building) {
        if (cell.head.command != Command::confirm) return go_down(DestroyReason::protocol, Tell::relays, events);
        state_ = State::up;
        was_up_ = true;
        setup_time_ = now - built_at_;
        round_trip_ = setup_time_;
        events.push_back({.kind = PathEvent::Kind::up});
        return;
    }
    switch (cell.head.command) {
        case Command::data:
            return on_data(cell, events);
        case Command::close:
            // Either end may close first; the two may cross.
            if (streams_.erase(cell.head.stream) > 0) {
                std::erase_if(queue_, [&](const QueuedCell& queued) { return queued.stream == cell.head.stream; });
                std::uint8_t reason = cell.payload.empty()
                                          ? 0
                                          : std::min(cell.payload[0], static_cast<std::uint8_t>(CloseReason::protocol));
                events.push_back({.kind = PathEvent::Kind::stream_closed,
                                  .stream = cell.head.stream,
                                  .close_reason = static_cast<CloseReason>(reason)});
            }
            return;
        case Command::credit: {
            ByteReader reader(cell.payload);
            std::uint32_t cells = reader.u32();
            if (!reader.finished() || !forward_.on_credit(cells))
                return go_down(DestroyReason::protocol, Tell::relays, events);
            return send_queue();
        }
        case Command::probe_echo:
            if (probed_at_) round_trip_ = now - *std::exchange(probed_at_, std::nullopt);
            return;
        case Command::confirm:
        case Command::open:
        case Command::retarget:
        case Command::probe:
            return go_down(DestroyReason::protocol, Tell::relays, events);
    }
}

void ClientPath::on_data(const InnerCell& cell, std::vector<PathEvent>& events) {
    if (!backward_.on_received()) return go_down(DestroyReason::protocol, Tell::relays, events);
    auto stream = streams_.find(cell.head.stream);
    if (stream != streams_.end()) {
        auto clove = stream->second.add(cell);
        if (!clove) return go_down(DestroyReason::protocol, Tell::relays, events);
        if (*clove)
            events.push_back({.kind = PathEvent::Kind::clove, .stream = cell.head.stream, .clove = std::move(**clove)});
    }
    if (std::uint32_t credit = backward_.on_done(); credit > 0) {
        std::array<std::uint8_t, 4> cells{};
        store_big_endian(MutableByteView(cells), credit);
        send_cell({Command::credit}, {cells});
    }
}

std::vector<PathEvent> ClientPath::on_destroy(DestroyReason reason) {
    std::vector<PathEvent> events;
    go_down(reason, Tell::nobody, events);
    return events;
}

std::vector<PathEvent> ClientPath::on_timer(Time now) {
    std::vector<PathEvent> events;
    if (state_ == State::building && now >= built_at_ + timing_.setup_deadline) {
        go_down(DestroyReason::timed_out, Tell::relays, events);
    } else if (state_ == State::up && probed_at_ && now >= *probed_at_ + timing_.probe_deadline) {
        go_down(DestroyReason::timed_out, Tell::relays, events);
    } else if (state_ == State::up && !probed_at_ && now >= next_timer()) {
        probed_at_ = now;
        std::array<std::uint8_t, probe_size> nonce{};
        send_cell({Command::probe}, {nonce});
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
    go_down(reason, Tell::relays, ignored);
}

bool ClientPath::send_cell(const CellHead& head, std::initializer_list<ByteView> parts) {
    CellBody body;
    write_inner(body, head, parts);
    cipher_.seal(body);
    // A cell that cannot be queued leaves a gap in the count, which the proxy takes for tampering: the path goes down
    // at its next timer or by the link's own loss.
    return sender_.send(first_hop(), wire::FrameType::path_cell, {id_.bytes(), body}).has_value();
}

void ClientPath::send_queue() {
    while (!queue_.empty() && forward_.may_send()) {
        forward_.on_sent();
        QueuedCell cell = std::move(queue_.front());
        queue_.pop_front();
        send_cell({Command::data, cell.stream, cell.part}, {cell.payload});
    }
}

void ClientPath::go_down(DestroyReason reason, Tell tell, std::vector<PathEvent>& events) {
    if (state_ == State::down) return;
    state_ = State::down;
    queue_.clear();
    if (tell == Tell::relays) {
        std::array<std::uint8_t, 1> code{
            static_cast<std::uint8_t>(reason == DestroyReason::timed_out ? DestroyReason::finished : reason)};
        (void)sender_.send(first_hop(), wire::FrameType::path_destroy, {id_.bytes(), code});
    }
    events.push_back({.kind = PathEvent::Kind::down, .down_reason = reason});
}

}  // namespace planetserve::onion
