#include "exchange/user_side.h"

#include <algorithm>

#include "base/requires.h"

namespace planetserve::exchange {

namespace {

// A word to the model node every so often: before it has sent all that it sends in any case, however many others do not
// acknowledge what they got (ModelSideLimits::assured_unacknowledged, 128 KiB). Up to the word come 64 KiB of body and,
// for each of 31 records, less than 1.3 KiB of padding and of what it costs to keep one: 105 KiB.
constexpr std::uint64_t acknowledge_bytes = inference::reply_window / 16;
constexpr std::uint64_t acknowledge_records = record_window / 32;
// Control records kept for lanes that are replaced later.
constexpr std::uint64_t kept_control_records = 16;
constexpr Duration upload_check_interval = 500ms;

}  // namespace

UserSide::UserSide(inference::Request request, const crypto::Identity& owner, Target target,
                   dispersal::Threshold threshold, std::vector<Lane> lanes, Claims::FindOnionKey find_onion_key,
                   UserSideTiming timing, Random& random, UserSideOutput& output, UserSideEvents& events)
    : request_(std::move(request)),
      owner_(owner),
      threshold_(threshold),
      timing_(timing),
      random_(random),
      output_(output),
      events_(events),
      claims_(target, threshold, std::move(find_onion_key), random) {
    REQUIRES(lanes.size() == threshold.n);
    for (const Lane& lane : lanes) {
        lanes_.push_back({.lane = lane});
        new_source(lanes_.size() - 1);
    }
}

Status UserSide::start(Time now) {
    if (auto checked = check_head(request_); !checked) return checked;
    if (!dispersal::acceptable(threshold_))
        return fail(ErrorCode::invalid_argument, "model nodes take no such number of lanes");
    auto keys = claims_.begin();
    if (!keys)
        return fail(ErrorCode::unavailable,
                    "model node " + claims_.target().brief() + " has an onion key of small order");
    request_sender_.emplace(RecordKind::request, keys->request, threshold_);
    control_sender_.emplace(RecordKind::control, keys->control, threshold_);
    upload_.accept_deadline = timing_.accept_deadline + 1s * static_cast<int>(request_.body.size() >> 20);
    deadline_ = now + upload_.accept_deadline;
    upload_.unsent = ~std::size_t{0};
    heard_at_ = now;
    send_request();
    note_upload(now);
    return {};
}

// The accept deadline begins anew as long as fewer than k lanes have sent all of the request and the rest move.
void UserSide::note_upload(Time now) {
    upload_.check.reset();
    std::size_t left = 0, done = 0;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        if (!lanes_[lane].up) continue;
        std::size_t unsent = output_.unsent(lane);
        left += unsent;
        done += unsent == 0 ? 1 : 0;
    }
    bool moves = left < upload_.unsent;
    upload_.unsent = left;
    if (moves) deadline_ = std::max(deadline_, now + upload_.accept_deadline);
    if (done < threshold_.k && left > 0) upload_.check = now + upload_check_interval;
}

void UserSide::send_request() {
    std::vector<Lane> lanes;
    for (const LaneState& state : lanes_) lanes.push_back(state.lane);
    RequestHead head{request_.id,          request_.method,  request_.path, request_.content_type, request_.model,
                     request_.body.size(), std::move(lanes), threshold_.k,  request_.continues};
    head.returns = request_.returns;
    sign(head, request_.body, claims_.id(), owner_);
    Bytes record;
    append_item(record, ItemKind::request_head, encode(head));
    ByteView body = request_.body;
    while (!body.empty()) {
        if (record.size() + item_header_size >= maximum_record) {
            send_record(*request_sender_, RecordKind::request, record);
            record.clear();
        }
        std::size_t size = std::min(body.size(), maximum_record - record.size() - item_header_size);
        append_item(record, ItemKind::body, body.first(size));
        body = body.subspan(size);
    }
    if (record.size() + item_header_size > maximum_record) {
        send_record(*request_sender_, RecordKind::request, record);
        record.clear();
    }
    append_item(record, ItemKind::end, {});
    send_record(*request_sender_, RecordKind::request, record);
    request_.body.clear();
    request_.body.shrink_to_fit();
}

void UserSide::send_record(RecordSender& sender, RecordKind kind, ByteView record) {
    const auto& cloves = sender.add(record, random_);
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        if (lanes_[lane].up) output_.send(lane, seal_envelope(kind, claims_.id().bytes(), cloves[lane]));
}

void UserSide::on_clove(std::size_t lane, ByteView bytes, Time now) {
    REQUIRES(lane < lanes_.size());
    if (finished()) return;
    auto envelope = parse_envelope(bytes);
    if (!envelope || envelope->kind != RecordKind::reply) return note_corrupt(lane);
    const NodeId node{envelope->name.value};
    RecordReceiver* receiver = claims_.receiver_of(node);
    if (receiver == nullptr) return note_corrupt(lane);
    // The model node puts clove i on lane i, so no lane can speak for another.
    if (envelope->clove.size() < 4 || envelope->clove[3] != lane) return note_corrupt(lane);
    auto progress = receiver->add(lanes_[lane].source, envelope->clove);
    if (!progress) {
        if (progress.error().code != ErrorCode::exhausted) note_corrupt(lane);
        return;
    }
    if (!progress->records.empty()) {
        heard_at_ = now;
        deadline_ = std::max(deadline_, now + timing_.silence_deadline);
        upload_.check.reset();
        if (!claims_.proven()) on_proven(node);
    }
    for (const Bytes& record : progress->records) {
        handle_record(record);
        if (finished()) break;
    }
    // A source that belongs to no lane by now was a path that was replaced.
    for (const Source& source : progress->corrupt)
        if (auto at = std::ranges::find(lanes_, source, &LaneState::source); at != lanes_.end())
            note_corrupt(static_cast<std::size_t>(at - lanes_.begin()));
    if (!progress->records.empty() && !finished()) acknowledge_if_due();
}

void UserSide::on_proven(const NodeId& node) {
    claims_.prove(node);
    if (claims_.forwarded()) control_sender_.emplace(RecordKind::control, claims_.control_key(), threshold_);
}

void UserSide::greet_server() {
    Control control = progress();
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        if (lanes_[lane].changed) control.changes.push_back({static_cast<std::uint8_t>(lane), lanes_[lane].lane});
    send_control(control);
}

void UserSide::new_source(std::size_t lane) {
    store_big_endian(MutableByteView(lanes_[lane].source.value), ++next_source_);
    lanes_[lane].corrupt = false;
}

void UserSide::note_corrupt(std::size_t lane) {
    if (std::exchange(lanes_[lane].corrupt, true)) return;
    auto tolerated = static_cast<std::size_t>(std::max(1, threshold_.n - threshold_.k));
    if (++corrupt_paths_ <= tolerated) return events_.on_corrupt_lane(lane);
    // Rather the model node is at fault than so many paths. Once it answers, the lanes that are right may do.
    if (phase_ < Phase::answering)
        fail_with({ErrorCode::malformed, "model node " + serving_node().brief() + " answers with wrong cloves over " +
                                             std::to_string(corrupt_paths_) + " paths"});
}

void UserSide::handle_record(ByteView record) {
    auto items = parse_items(record);
    if (!items) return fail_with(items.error());
    for (const Item& item : *items) {
        if (finished()) return;
        handle_item(item);
    }
}

void UserSide::handle_item(const Item& item) {
    switch (item.kind) {
        case ItemKind::accepted:
            return accept();
        case ItemKind::heartbeat:
            return;
        case ItemKind::reply_head: {
            auto head = parse_reply_head(item.content);
            if (!head) return fail_with(head.error());
            if (phase_ == Phase::answering) return fail_with({ErrorCode::malformed, "a reply with two heads"});
            accept();
            if (finished()) return;
            phase_ = Phase::answering;
            return events_.on_head(*head);
        }
        case ItemKind::body:
            if (phase_ != Phase::answering) return fail_with({ErrorCode::malformed, "a reply without a head"});
            return events_.on_body(item.content);
        case ItemKind::end:
            if (phase_ != Phase::answering) return fail_with({ErrorCode::malformed, "a reply without a head"});
            // The model node is told before the owner, who may close the lanes.
            acknowledge();
            phase_ = Phase::finished;
            return events_.on_end();
        case ItemKind::error: {
            auto error = parse_error(item.content);
            acknowledge();
            return end_with(error ? *error : error.error());
        }
        case ItemKind::request_head:
        case ItemKind::control:
            return fail_with({ErrorCode::malformed, "a reply with an item that only users send"});
    }
}

void UserSide::accept() {
    if (phase_ != Phase::sending) return;
    phase_ = Phase::accepted;
    request_sender_.reset();
    events_.on_accepted(serving_node());
    // The owner may not want that node.
    if (!finished() && claims_.forwarded()) greet_server();
}

void UserSide::fail_with(const Error& error) {
    if (finished()) return;
    cancel();
    events_.on_error(error);
}

void UserSide::end_with(const Error& error) {
    phase_ = Phase::finished;
    events_.on_error(error);
}

void UserSide::on_lane_down(std::size_t lane, Time now) {
    REQUIRES(lane < lanes_.size());
    lanes_[lane].up = false;
    if (lanes_up() < threshold_.k && !lanes_deadline_) lanes_deadline_ = now + timing_.lanes_deadline;
}

void UserSide::on_lane_replaced(std::size_t lane, const Lane& replacement, Time now) {
    REQUIRES(lane < lanes_.size() && control_sender_);
    if (finished()) return;
    LaneState& state = lanes_[lane];
    state.lane = replacement;
    state.up = true;
    state.changed = true;
    new_source(lane);
    if (lanes_up() >= threshold_.k) lanes_deadline_.reset();
    const ByteView id = claims_.id().bytes();
    if (request_sender_) {
        request_sender_->resend(
            lane, [&](const Bytes& clove) { output_.send(lane, seal_envelope(RecordKind::request, id, clove)); });
        upload_.check = now;
    }
    control_sender_->resend(
        lane, [&](const Bytes& clove) { output_.send(lane, seal_envelope(RecordKind::control, id, clove)); });
    Control control = progress();
    control.changes.push_back({static_cast<std::uint8_t>(lane), replacement});
    send_control(control);
}

void UserSide::send_control(const Control& control) {
    Bytes record;
    append_item(record, ItemKind::control, encode(control));
    send_record(*control_sender_, RecordKind::control, record);
    // Each control record supersedes those before it, except for changes of lanes.
    if (control_sender_->unacknowledged() > kept_control_records)
        control_sender_->acknowledge(control_sender_->next() - kept_control_records);
}

Control UserSide::progress() const { return {claims_.received(), consumed_, false, {}}; }

void UserSide::consumed(std::size_t bytes) {
    consumed_ += bytes;
    if (!finished()) acknowledge_if_due();
}

void UserSide::acknowledge_if_due() {
    if (consumed_ - acknowledged_.bytes >= acknowledge_bytes ||
        claims_.received() - acknowledged_.records >= acknowledge_records)
        acknowledge();
}

void UserSide::acknowledge() {
    acknowledged_ = {consumed_, claims_.received()};
    send_control(progress());
}

void UserSide::cancel() {
    if (std::exchange(phase_, Phase::finished) == Phase::finished || !control_sender_) return;
    Control control = progress();
    control.cancel = true;
    send_control(control);
}

void UserSide::on_timer(Time now) {
    if (finished() || now < next_timer()) return;
    if (lanes_deadline_ && now >= *lanes_deadline_)
        return fail_with({ErrorCode::unavailable, "only " + std::to_string(lanes_up()) + " of " +
                                                      std::to_string(threshold_.n) + " paths are up, and " +
                                                      std::to_string(int{threshold_.k}) + " are needed"});
    if (upload_.check && now >= *upload_.check) note_upload(now);
    if (now < deadline_) return;
    if (phase_ == Phase::sending)
        fail_with(
            {ErrorCode::unavailable, "model node " + serving_node().brief() + " did not take the request in time"});
    else
        fail_with({ErrorCode::timed_out, "model node " + serving_node().brief() + " stopped answering"});
}

Time UserSide::next_timer() const {
    if (finished()) return Time::max();
    Time next = lanes_deadline_ ? std::min(*lanes_deadline_, deadline_) : deadline_;
    return upload_.check ? std::min(*upload_.check, next) : next;
}

std::size_t UserSide::lanes_up() const {
    return static_cast<std::size_t>(std::ranges::count(lanes_, true, &LaneState::up));
}

}  // namespace planetserve::exchange
