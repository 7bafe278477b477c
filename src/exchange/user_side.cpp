#include "exchange/user_side.h"

#include <algorithm>
#include <stdexcept>

namespace planetserve::exchange {

namespace {

// A word to the model node every so often, well within the windows of bytes and records.
constexpr std::uint64_t acknowledge_bytes = inference::reply_window / 4;
constexpr std::uint64_t acknowledge_records = record_window / 8;
// Nodes that may claim to serve one exchange before one is proven.
constexpr std::size_t maximum_claims = 4;
constexpr Duration upload_check_interval = 500ms;

}  // namespace

UserSide::UserSide(inference::Request request, Target target, dispersal::Threshold threshold, std::vector<Lane> lanes,
                   FindOnionKey find_onion_key, UserSideTiming timing, Random& random, UserSideOutput& output,
                   UserSideEvents& events)
    : request_(std::move(request)),
      target_(target),
      threshold_(threshold),
      lanes_(std::move(lanes)),
      lane_up_(lanes_.size(), true),
      lane_changed_(lanes_.size(), false),
      find_onion_key_(std::move(find_onion_key)),
      timing_(timing),
      random_(random),
      output_(output),
      events_(events),
      ephemeral_(crypto::AgreementKey::generate(random)),
      server_(target.node),
      sources_(lanes_.size()),
      lane_corrupt_(lanes_.size(), false) {
    if (lanes_.size() != threshold_.n) throw std::logic_error("an exchange needs one lane for each clove");
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) new_source(lane);
    id_.value = ephemeral_.public_key().value;
}

Status UserSide::start(Time now) {
    auto keys = derive_keys(ephemeral_, target_.onion_key, id_, target_.onion_key);
    if (!keys)
        return fail(ErrorCode::invalid_argument,
                    "model node " + target_.node.brief() + " has an onion key of small order");
    request_sender_.emplace(RecordKind::request, keys->request, threshold_);
    control_sender_.emplace(RecordKind::control, keys->control, threshold_);
    Answer& answer =
        answers_.try_emplace(target_.node, Answer{{RecordKind::reply, keys->reply}, keys->control}).first->second;
    answer.receiver.expect(threshold_);
    accept_deadline_ = timing_.accept_deadline + 1s * static_cast<int>(request_.body.size() >> 20);
    deadline_ = now + accept_deadline_;
    unsent_ = ~std::size_t{0};
    send_request();
    note_upload(now);
    return {};
}

// The accept deadline begins anew as long as fewer than k lanes have sent all of the request and the rest move.
void UserSide::note_upload(Time now) {
    upload_check_.reset();
    std::size_t left = 0, done = 0;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        if (!lane_up_[lane]) continue;
        std::size_t unsent = output_.unsent(lane);
        left += unsent;
        done += unsent == 0 ? 1 : 0;
    }
    bool moves = left < unsent_;
    unsent_ = left;
    if (moves) deadline_ = std::max(deadline_, now + accept_deadline_);
    if (done < threshold_.k && left > 0) upload_check_ = now + upload_check_interval;
}

void UserSide::send_request() {
    Bytes record;
    append_item(record, ItemKind::request_head,
                encode(RequestHead{request_.id, request_.method, request_.path, request_.content_type, request_.model,
                                   request_.body.size(), lanes_, threshold_.k, request_.continues}));
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
        if (lane_up_[lane]) output_.send(lane, seal_envelope(kind, id_.bytes(), cloves[lane]));
}

void UserSide::on_clove(std::size_t lane, ByteView bytes, Time now) {
    if (finished_) return;
    auto envelope = parse_envelope(bytes);
    if (!envelope || envelope->kind != RecordKind::reply) return note_corrupt(lane);
    NodeId server{envelope->name.value};
    auto answer = answers_.find(server);
    if (answer == answers_.end()) {
        auto onion_key = server_fixed_ || answers_.size() >= maximum_claims ? std::nullopt : find_onion_key_(server);
        auto keys = onion_key ? derive_keys(ephemeral_, *onion_key, id_, *onion_key) : std::nullopt;
        if (!keys) return note_corrupt(lane);
        answer = answers_.try_emplace(server, Answer{{RecordKind::reply, keys->reply}, keys->control}).first;
        answer->second.receiver.expect(threshold_);
    }
    // The model node puts clove i on lane i, so no lane can speak for another.
    if (envelope->clove.size() < 4 || envelope->clove[3] != lane) return note_corrupt(lane);
    auto progress = answer->second.receiver.add(sources_[lane], envelope->clove);
    if (!progress) {
        if (progress.error().code != ErrorCode::exhausted) note_corrupt(lane);
        return;
    }
    if (!progress->records.empty()) {
        deadline_ = std::max(deadline_, now + timing_.silence_deadline);
        upload_check_.reset();
        if (!server_fixed_) fix_server(server);
    }
    for (const Bytes& record : progress->records) {
        handle_record(record);
        if (finished_) break;
    }
    // A source that is no lane's by now was a path that was replaced.
    for (const Source& source : progress->corrupt)
        if (auto at = std::ranges::find(sources_, source); at != sources_.end())
            note_corrupt(static_cast<std::size_t>(at - sources_.begin()));
    if (!progress->records.empty() && !finished_) acknowledge(false);
}

void UserSide::fix_server(const NodeId& server) {
    server_fixed_ = true;
    server_ = server;
    std::erase_if(answers_, [&](const auto& item) { return item.first != server; });
    if (server != target_.node) control_sender_.emplace(RecordKind::control, answers_.at(server).control, threshold_);
}

void UserSide::repeat_changes() {
    Control control{answers_.at(server_).receiver.next(), consumed_, false, {}};
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        if (lane_changed_[lane]) control.changes.push_back({static_cast<std::uint8_t>(lane), lanes_[lane]});
    if (!control.changes.empty()) send_control(control);
}

void UserSide::new_source(std::size_t lane) {
    store_big_endian(MutableByteView(sources_[lane].value), ++next_source_);
    lane_corrupt_[lane] = false;
}

void UserSide::note_corrupt(std::size_t lane) {
    if (lane_corrupt_[lane]) return;
    lane_corrupt_[lane] = true;
    auto tolerated = static_cast<std::size_t>(std::max(1, threshold_.n - threshold_.k));
    if (++corrupt_paths_ <= tolerated) return events_.on_corrupt_lane(lane);
    // Rather the model node than so many paths. Where it has answered already, the lanes that are right may do.
    if (!head_seen_)
        fail_with({ErrorCode::malformed, "model node " + server_.brief() + " answers with wrong cloves over " +
                                             std::to_string(corrupt_paths_) + " paths"});
}

void UserSide::handle_record(ByteView record) {
    auto items = parse_items(record);
    if (!items) return fail_with(items.error());
    for (const Item& item : *items) {
        if (finished_) return;
        switch (item.kind) {
            case ItemKind::accepted:
                if (!std::exchange(accepted_, true)) {
                    request_sender_.reset();
                    events_.on_accepted(server_);
                    if (server_ != target_.node) repeat_changes();
                }
                break;
            case ItemKind::heartbeat:
                break;
            case ItemKind::reply_head: {
                auto head = parse_reply_head(item.content);
                if (!head) return fail_with(head.error());
                if (std::exchange(head_seen_, true)) return fail_with({ErrorCode::malformed, "a reply with two heads"});
                events_.on_head(*head);
                break;
            }
            case ItemKind::body:
                if (!head_seen_) return fail_with({ErrorCode::malformed, "a reply without a head"});
                events_.on_body(item.content);
                break;
            case ItemKind::end:
                if (!head_seen_) return fail_with({ErrorCode::malformed, "a reply without a head"});
                // The model node is told before the owner, who may close the lanes.
                acknowledge(true);
                finished_ = true;
                events_.on_end();
                return;
            case ItemKind::error: {
                auto error = parse_error(item.content);
                acknowledge(true);
                return fail_with(error ? *error : error.error(), false);
            }
            case ItemKind::request_head:
            case ItemKind::control:
                return fail_with({ErrorCode::malformed, "a reply with an item only users send"});
        }
    }
}

void UserSide::fail_with(Error error, bool tell_model_node) {
    if (finished_) return;
    if (tell_model_node)
        cancel();
    else
        finished_ = true;
    events_.on_error(error);
}

void UserSide::on_lane_down(std::size_t lane, Time now) {
    lane_up_[lane] = false;
    if (lanes_up() < threshold_.k && !lanes_deadline_) lanes_deadline_ = now + timing_.lanes_deadline;
}

void UserSide::on_lane_replaced(std::size_t lane, const Lane& replacement, Time now) {
    if (finished_) return;
    lanes_[lane] = replacement;
    lane_up_[lane] = true;
    lane_changed_[lane] = true;
    new_source(lane);
    if (lanes_up() >= threshold_.k) lanes_deadline_.reset();
    if (request_sender_) {
        request_sender_->resend(lane, [&](const Bytes& clove) {
            output_.send(lane, seal_envelope(RecordKind::request, id_.bytes(), clove));
        });
        upload_check_ = now;
    }
    control_sender_->resend(
        lane, [&](const Bytes& clove) { output_.send(lane, seal_envelope(RecordKind::control, id_.bytes(), clove)); });
    Control control{
        answers_.at(server_).receiver.next(), consumed_, false, {{static_cast<std::uint8_t>(lane), replacement}}};
    send_control(control);
}

void UserSide::send_control(const Control& control) {
    Bytes record;
    append_item(record, ItemKind::control, encode(control));
    send_record(*control_sender_, RecordKind::control, record);
    // Each word makes those before it superfluous, except changes of lanes; a few are kept for lanes that are replaced
    // later.
    if (control_sender_->unacknowledged() > 16) control_sender_->acknowledge(control_sender_->next() - 16);
}

void UserSide::consumed(std::size_t bytes) {
    consumed_ += bytes;
    if (!finished_) acknowledge(false);
}

void UserSide::acknowledge(bool force) {
    std::uint64_t records = answers_.at(server_).receiver.next();
    if (!force && consumed_ - acknowledged_bytes_ < acknowledge_bytes &&
        records - acknowledged_records_ < acknowledge_records)
        return;
    acknowledged_bytes_ = consumed_;
    acknowledged_records_ = records;
    send_control({records, consumed_, false, {}});
}

void UserSide::cancel() {
    if (std::exchange(finished_, true)) return;
    if (control_sender_) send_control({answers_.at(server_).receiver.next(), consumed_, true, {}});
}

void UserSide::on_timer(Time now) {
    if (finished_ || now < next_timer()) return;
    if (lanes_deadline_ && now >= *lanes_deadline_)
        return fail_with({ErrorCode::unavailable, "only " + std::to_string(lanes_up()) + " of " +
                                                      std::to_string(threshold_.n) + " paths are up, and " +
                                                      std::to_string(int{threshold_.k}) + " are needed"});
    if (upload_check_ && now >= *upload_check_) note_upload(now);
    if (now >= deadline_)
        fail_with({accepted_ ? ErrorCode::timed_out : ErrorCode::unavailable,
                   "model node " + server_.brief() +
                       (accepted_ ? " stopped answering" : " did not take the request in time")});
}

Time UserSide::next_timer() const {
    if (finished_) return Time::max();
    Time next = lanes_deadline_ ? std::min(*lanes_deadline_, deadline_) : deadline_;
    return upload_check_ ? std::min(*upload_check_, next) : next;
}

std::size_t UserSide::lanes_up() const {
    return static_cast<std::size_t>(std::count(lane_up_.begin(), lane_up_.end(), true));
}

}  // namespace planetserve::exchange
