#include "node/ask.h"

#include <algorithm>

namespace planetserve::node {

namespace {

// Before a lane that a proxy closed for overload is tried again.
constexpr Duration lane_retry = 1s;

bool worth_another_node(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out ||
           error.code == ErrorCode::exhausted || error.code == ErrorCode::not_found ||
           error.code == ErrorCode::internal || error.code == ErrorCode::malformed;
}

// A proxy's list may not have a new model node yet, and paths may have been lost on the way: both pass.
bool worth_waiting(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out;
}

// Of an answer that had begun: its node is gone, or its engine.
bool worth_resuming(const Error& error) { return worth_waiting(error) || error.code == ErrorCode::internal; }

}  // namespace

Asker::Ask::Ask(Asker& asker, AskNumber number, inference::Request request, inference::ReplySink& sink)
    : asker_(asker),
      number_(number),
      request_(std::move(request)),
      sink_(&sink),
      conversation_(Conversations::prefixes(request_.body)),
      lanes_(asker.options_.threshold.n) {}

Asker::Ask::~Ask() { end_attempt(); }

Status Asker::Ask::begin() {
    const auto& options = asker_.options_;
    const ModelNodeInfo* chosen = choose();
    if (chosen == nullptr) return fail(ErrorCode::unavailable, "no other model node serves '" + request_.model + "'");
    request_.continues =
        std::exchange(keep_, false) || (request_.node && request_.continues) || preferred() == chosen->id;
    entry_.reset();
    enter_target(*chosen);
    asker_.placed_.served({crypto::sha256(request_.id.bytes())}, target_->id);
    tried_.insert(target_->id);
    ++attempts_;
    for (LaneState& lane : lanes_) lane = {};
    answering_ = false;
    received_ = 0;
    if (!try_start() && !waiting_until_) waiting_until_ = asker_.clock_.now() + options.paths_deadline;
    return {};
}

const ModelNodeInfo* Asker::Ask::choose() const {
    if (!request_.node)
        return choose_model_node(asker_.directory_, request_.model, tried_, asker_.under_way_, preferred(),
                                 asker_.random_);
    const ModelNodeInfo* node = find_model_node(asker_.directory_, *request_.node);
    bool serves = node != nullptr && std::ranges::find(node->models, request_.model) != node->models.end();
    return serves && !tried_.contains(node->id) ? node : nullptr;
}

std::optional<NodeId> Asker::Ask::preferred() const {
    auto placed = asker_.placed_.find({crypto::sha256(request_.id.bytes())});
    return placed ? placed : asker_.conversations_.find(conversation_);
}

bool Asker::Ask::try_start() {
    auto paths = asker_.pool_.usable();
    if (paths.size() < asker_.options_.threshold.k) return false;
    waiting_until_.reset();
    std::vector<exchange::Lane> lanes;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        lanes.push_back(lane < paths.size() ? open_lane(lane, paths[lane]) : exchange::Lane{});
    auto find_onion_key = [this](const NodeId& id) -> std::optional<crypto::AgreementPublicKey> {
        const ModelNodeInfo* node = find_model_node(asker_.directory_, id);
        return node == nullptr ? std::nullopt : std::optional(node->onion_key);
    };
    // The body is kept for another attempt until something was answered.
    client_ = std::make_unique<exchange::Client>(request_, exchange::ClientTarget{target_->id, target_->onion_key},
                                                 asker_.options_.threshold, lanes, find_onion_key,
                                                 asker_.options_.timing, asker_.random_, *this, *this);
    Time now = asker_.clock_.now();
    for (std::size_t lane = paths.size(); lane < lanes_.size(); ++lane) client_->on_lane_down(lane, now);
    if (auto started = client_->start(now); !started) finish_with(started.error());
    return true;
}

exchange::Lane Asker::Ask::open_lane(std::size_t lane, onion::PathNumber path) {
    auto handle = asker_.random_.id<ReplyHandle>();
    StreamKey key{path, asker_.pool_.open_stream(path, target_->id, handle)};
    lanes_[lane] = {key, false, {}};
    asker_.by_stream_[key] = {number_, lane};
    return {asker_.pool_.find(path)->proxy(), handle};
}

void Asker::Ask::drop_lane(std::size_t lane) {
    if (!lanes_[lane].stream) return;
    asker_.by_stream_.erase(*lanes_[lane].stream);
    lanes_[lane].stream.reset();
    if (client_ && client_->lane_up(lane)) client_->on_lane_down(lane, asker_.clock_.now());
}

std::vector<onion::PathNumber> Asker::Ask::free_paths() const {
    auto paths = asker_.pool_.usable();
    std::erase_if(paths, [&](onion::PathNumber path) {
        return std::any_of(lanes_.begin(), lanes_.end(),
                           [&](const LaneState& lane) { return lane.stream && lane.stream->first == path; });
    });
    return paths;
}

void Asker::Ask::replace_lanes() {
    if (!client_ || client_->finished()) return;
    auto paths = free_paths();
    Time now = asker_.clock_.now();
    for (std::size_t lane = 0; lane < lanes_.size() && !paths.empty(); ++lane) {
        if (lanes_[lane].stream || lanes_[lane].unreachable || lanes_[lane].retry_at > now) continue;
        onion::PathNumber path = paths.back();
        paths.pop_back();
        ++asker_.counters_.lanes_replaced;
        exchange::Lane replacement = open_lane(lane, path);
        client_->on_lane_replaced(lane, replacement, now);
    }
}

void Asker::Ask::on_path_up() {
    if (waiting_until_)
        try_start();
    else
        replace_lanes();
}

void Asker::Ask::on_path_down(std::size_t lane) {
    drop_lane(lane);
    replace_lanes();
}

void Asker::Ask::on_clove(std::size_t lane, ByteView clove) {
    if (client_) client_->on_clove(lane, clove, asker_.clock_.now());
}

void Asker::Ask::on_stream_closed(std::size_t lane, onion::CloseReason reason) {
    drop_lane(lane);
    if (reason != onion::CloseReason::unreachable) {
        lanes_[lane].retry_at = asker_.clock_.now() + lane_retry;
        return;
    }
    lanes_[lane].unreachable = true;
    auto unreachable =
        std::count_if(lanes_.begin(), lanes_.end(), [](const LaneState& state) { return state.unreachable; });
    // A few proxies may lie or be cut off; when the rest are too few, the node is gone.
    if (unreachable > asker_.options_.threshold.n - asker_.options_.threshold.k && client_ && !client_->finished())
        on_error({ErrorCode::unavailable, "model node " + target_->id.brief() + " cannot be reached"});
}

void Asker::Ask::send(std::size_t lane, ByteView envelope) {
    if (lanes_[lane].stream) asker_.pool_.send_clove(lanes_[lane].stream->first, lanes_[lane].stream->second, envelope);
}

std::size_t Asker::Ask::unsent(std::size_t lane) const {
    if (!lanes_[lane].stream) return 0;
    const onion::ClientPath* path = asker_.pool_.find(lanes_[lane].stream->first);
    return path == nullptr ? 0 : path->queued_cells(lanes_[lane].stream->second);
}

void Asker::Ask::on_accepted(const NodeId& server) {
    if (!target_ || server == target_->id) return;
    // The node that was asked handed the request over; from now on the streams lead to the one that has it.
    entry_ = target_->id;
    leave_target();
    if (const ModelNodeInfo* node = find_model_node(asker_.directory_, server)) enter_target(*node);
    ++asker_.counters_.handed_over;
    asker_.placed_.served({crypto::sha256(request_.id.bytes())}, server);
    for (LaneState& lane : lanes_) {
        lane.unreachable = false;
        if (lane.stream) asker_.pool_.retarget_stream(lane.stream->first, lane.stream->second, server);
    }
}

void Asker::Ask::on_head(const inference::ReplyHead& head) {
    if (sink_ == nullptr) return;
    // Full, or its engine fails, or it says so: another may do better.
    if (head.status >= 500) {
        tried_.insert(client_->server());
        if (try_another() || try_entry_itself()) return;
    }
    answering_ = true;
    if (stream_) {
        if (!stream_->on_head(head))
            return finish_with(
                {ErrorCode::unavailable, "the answer broke off, and model node " + client_->server().brief() +
                                             " did not go on with it: status " + std::to_string(head.status)});
        // A comment, which readers of event streams pass over.
        return pass(to_bytes(": planetserve-resumed " + client_->server().hex() + "\n\n"));
    }
    stream_.emplace(request_.path, std::exchange(request_.body, {}));
    stream_->on_head(head);
    inference::ReplyHead passed = head;
    passed.headers.emplace_back("x-planetserve-model-node", client_->server().hex());
    std::string paths;
    for (const LaneState& lane : lanes_)
        if (lane.stream)
            paths += (paths.empty() ? "" : ",") + std::to_string(static_cast<std::uint64_t>(lane.stream->first));
    passed.headers.emplace_back("x-planetserve-paths", paths);
    sink_->on_head(passed);
}

void Asker::Ask::on_body(ByteView bytes) {
    if (sink_ == nullptr) return;
    received_ += bytes.size();
    Bytes fresh = stream_->take(bytes);
    if (stream_->deviated()) {
        if (!go_on()) finish_with({ErrorCode::unavailable, "the answer broke off, and no node goes on with it"});
        return;
    }
    pass(fresh);
}

void Asker::Ask::pass(const Bytes& bytes) {
    passed_ += bytes.size();
    if (passed_ == 0 && client_) client_->consumed(std::exchange(received_, 0));
    if (!bytes.empty()) sink_->on_body(bytes);
}

void Asker::Ask::consumed(std::size_t bytes) {
    passed_ -= std::min(bytes, passed_);
    // What is passed on differs from what came where an answer is gone on with.
    std::size_t credit = passed_ == 0 ? received_ : std::min(bytes, received_);
    received_ -= credit;
    if (client_ && credit > 0) client_->consumed(credit);
}

void Asker::Ask::on_end() {
    if (sink_ == nullptr) return;
    Bytes last = stream_->end();
    if (stream_->deviated()) {
        if (!go_on()) finish_with({ErrorCode::unavailable, "the answer broke off, and no node goes on with it"});
        return;
    }
    asker_.conversations_.served(conversation_, client_->server());
    finish(last);
}

void Asker::Ask::finish(const Bytes& last) {
    if (!last.empty()) sink_->on_body(last);
    // It may have left the exchange in that call.
    if (auto* sink = std::exchange(sink_, nullptr)) {
        asker_.retire(number_);
        sink->on_end();
    }
}

void Asker::Ask::on_error(const Error& error) {
    if (sink_ == nullptr) return;
    if (answering_ && worth_resuming(error) && go_on()) return;
    if (!answering_ && worth_another_node(error) && (try_another() || try_again_later(error))) return;
    finish_with(error);
}

bool Asker::Ask::go_on() {
    if (resumptions_ >= asker_.options_.maximum_resumptions) return false;
    auto body = stream_->resume();
    if (!body) return false;
    ++resumptions_;
    ++asker_.counters_.resumed;
    end_attempt();
    if (body->empty()) {
        finish(stream_->end());
        return true;
    }
    request_.body = std::move(*body);
    // Not the same request: a node that still has the first must not answer with it.
    request_.id = asker_.random_.id<IdempotencyId>();
    attempts_ = 0;
    rounds_ = 1;
    if (begin()) return true;
    // There is no other node. The one that broke off may come back.
    answering_ = false;
    return try_again_later({ErrorCode::unavailable, "the answer broke off, and no node goes on with it"});
}

void Asker::Ask::finish_with(const Error& error) {
    ++asker_.counters_.failed;
    if (auto* sink = std::exchange(sink_, nullptr)) {
        asker_.retire(number_);
        sink->on_error(error);
    }
}

bool Asker::Ask::try_another() {
    if (attempts_ >= asker_.options_.maximum_attempts) return false;
    if (choose() == nullptr) return false;
    end_attempt();
    ++asker_.counters_.retried;
    return begin().has_value();
}

bool Asker::Ask::try_entry_itself() {
    if (!entry_ || request_.node) return false;
    keep_ = true;
    tried_.erase(*std::exchange(entry_, std::nullopt));
    // Where it handed this request, it would hand it again.
    request_.id = asker_.random_.id<IdempotencyId>();
    return try_another();
}

bool Asker::Ask::try_again_later(const Error& error) {
    if (!worth_waiting(error) || rounds_ >= asker_.options_.maximum_rounds) return false;
    end_attempt();
    ++rounds_;
    attempts_ = 0;
    tried_.clear();
    last_error_ = error;
    again_at_ = asker_.clock_.now() + asker_.options_.round_pause;
    return true;
}

void Asker::Ask::end_attempt() {
    if (client_) {
        client_->cancel();
        past_clients_.push_back(std::move(client_));
    }
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane) {
        if (!lanes_[lane].stream) continue;
        auto [path, stream] = *lanes_[lane].stream;
        drop_lane(lane);
        asker_.pool_.close_stream(path, stream);
    }
    leave_target();
}

void Asker::Ask::enter_target(const ModelNodeInfo& node) {
    target_ = node;
    ++asker_.under_way_[node.id];
}

void Asker::Ask::leave_target() {
    if (!target_) return;
    auto mine = asker_.under_way_.find(target_->id);
    if (mine != asker_.under_way_.end() && --mine->second == 0) asker_.under_way_.erase(mine);
    target_.reset();
}

void Asker::Ask::abandon(bool tell_model_node) {
    sink_ = nullptr;
    if (client_ && !tell_model_node) past_clients_.push_back(std::move(client_));
    end_attempt();
}

void Asker::Ask::on_corrupt_lane(std::size_t lane) {
    ++asker_.counters_.corrupt_lanes;
    if (!lanes_[lane].stream) return;
    onion::PathNumber path = lanes_[lane].stream->first;
    asker_.pool_.distrust(path, asker_.clock_.read());
}

void Asker::Ask::on_timer() {
    Time now = asker_.clock_.now();
    if (again_at_ && now >= *again_at_) {
        again_at_.reset();
        ++asker_.counters_.retried;
        // The node may be listed no longer; what was wrong with it says more than that.
        if (!begin()) return finish_with(*last_error_);
    }
    if (waiting_until_ && now >= *waiting_until_) {
        waiting_until_.reset();
        std::string problem = asker_.pool_.last_problem();
        return finish_with(
            {ErrorCode::unavailable, "too few paths are up" + (problem.empty() ? std::string() : ": " + problem)});
    }
    if (client_) client_->on_timer(now);
    replace_lanes();
}

Time Asker::Ask::next_timer() const {
    if (sink_ == nullptr) return Time::max();
    Time next = client_ ? client_->next_timer() : Time::max();
    if (waiting_until_) next = std::min(next, *waiting_until_);
    if (again_at_) next = std::min(next, *again_at_);
    for (const LaneState& lane : lanes_)
        if (!lane.stream && !lane.unreachable && lane.retry_at != Time{}) next = std::min(next, lane.retry_at);
    return next;
}

}  // namespace planetserve::node
