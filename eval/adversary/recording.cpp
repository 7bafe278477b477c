#include "eval/adversary/recording.h"

#include <algorithm>
#include <utility>

namespace planetserve::eval {

using wire::FrameType;

std::optional<Recorder::PathKey> Recorder::key_of(const NodeId& at, const NodeId& peer, ByteView payload) {
    auto id = PathId::from(payload.first(std::min(payload.size(), PathId::size)));
    if (!id) return std::nullopt;
    return PathKey{at, peer, *id};
}

void Recorder::on_arrival(Time now, const NodeId& from, const NodeId& to, FrameType type, ByteView payload) {
    if (type == FrameType::path_setup) on_setup_arrival(now, from, to, payload);
    if (type == FrameType::path_cell) on_cell_arrival(now, from, to, payload);
    if (!round_) return;
    if (type == FrameType::clove_forward) {
        if (LaneSeen* lane = find_lane(to, from); lane && lane->arrived == Time{}) lane->arrived = now;
    } else if (type == FrameType::clove_reply) {
        if (LaneSeen* lane = find_lane(from, to)) lane->replies_arrived.push_back(now);
    }
}

void Recorder::on_setup_arrival(Time now, const NodeId& from, const NodeId& to, ByteView payload) {
    auto key = key_of(to, from, payload);
    if (!key) return;
    relaying_ = paths_.size();
    by_previous_[*key] = paths_.size();
    // As the sender knew it.
    bool built = built_.erase(*key_of(from, to, payload)) > 0;
    paths_.push_back({to, from, std::nullopt, now, std::nullopt, built});
}

void Recorder::on_cell_arrival(Time now, const NodeId& from, const NodeId& to, ByteView payload) {
    auto key = key_of(to, from, payload);
    if (!key) return;
    if (auto forward = by_previous_.find(*key); forward != by_previous_.end()) {
        if (round_) round_->cells[forward->second].forward.push_back(now);
    } else if (auto backward = by_next_.find(*key); backward != by_next_.end()) {
        PathSeen& path = paths_[backward->second];
        if (!path.confirmed) path.confirmed = now;
        if (round_) round_->cells[backward->second].backward.push_back(now);
    }
}

void Recorder::on_sent(Time now, const simulator::Frame& frame) {
    if (frame.type == FrameType::path_setup) {
        auto key = key_of(frame.from, frame.to, frame.payload);
        if (!key) return;
        if (relaying_ && paths_[*relaying_].relay == frame.from) {
            paths_[*relaying_].next = frame.to;
            by_next_[*key] = *relaying_;
        } else {
            built_.insert(*key);
        }
    }
    if (!round_) return;
    if (frame.type == FrameType::clove_forward) {
        auto envelope = exchange::parse_envelope(frame.payload);
        if (!envelope || envelope->kind != exchange::RecordKind::request) return;
        auto [known, fresh] =
            by_exchange_.try_emplace(exchange::ExchangeId{envelope->name.value}, round_->requests.size());
        if (fresh) round_->requests.push_back({frame.to, {}});
        auto& lanes = round_->requests[known->second].lanes;
        if (std::ranges::find(lanes, frame.from, &LaneSeen::proxy) == lanes.end())
            lanes.push_back({frame.from, now, {}, {}, {}});
    } else if (frame.type == FrameType::clove_reply) {
        if (LaneSeen* lane = find_lane(frame.from, frame.to)) lane->replies_left.push_back(now);
    }
}

// Which of its requests a clove belongs to, a node knows by ids; a proxy hardly ever serves two in one round.
LaneSeen* Recorder::find_lane(const NodeId& model, const NodeId& proxy) {
    for (auto& request : round_->requests)
        if (request.model == model)
            for (auto& lane : request.lanes)
                if (lane.proxy == proxy) return &lane;
    return nullptr;
}

RoundSeen Recorder::end_round(Duration length) {
    by_exchange_.clear();
    round_->length = length;
    RoundSeen seen = std::move(*round_);
    round_.reset();
    return seen;
}

}  // namespace planetserve::eval
