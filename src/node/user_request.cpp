#include "node/user_request.h"

#include <algorithm>

namespace planetserve::node {

namespace {

bool worth_another_node(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out ||
           error.code == ErrorCode::exhausted || error.code == ErrorCode::not_found ||
           error.code == ErrorCode::internal || error.code == ErrorCode::malformed;
}

// A proxy's list may lack a new model node, and paths may have been lost on the way: both pass.
bool worth_waiting(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out;
}

// Of an answer that had begun: its node is gone, or its engine.
bool worth_resuming(const Error& error) { return worth_waiting(error) || error.code == ErrorCode::internal; }

// From this status on, another node may do better: full, or its engine failed.
constexpr unsigned first_server_error = 500;

const Error not_resumed{ErrorCode::unavailable, "the answer was interrupted, and no node resumes it"};

}  // namespace

UserRequest::UserRequest(RequestContext& context, RequestNumber number, inference::Request request,
                         inference::ReplySink& sink)
    : context_(context),
      number_(number),
      request_(std::move(request)),
      sink_(sink),
      conversation_(Conversations::prefixes(request_.body)),
      attempts_(context.options),
      lanes_(number, context.options.threshold.n, context.pool, context.streams, context.random) {}

UserRequest::~UserRequest() { end_attempt(); }

Status UserRequest::begin() {
    const ModelNodeInfo* chosen = context_.models.choose(request_, conversation_, attempts_.excluded());
    if (chosen == nullptr) return fail(ErrorCode::unavailable, "no other model node serves '" + request_.model + "'");
    request_.continues = std::exchange(entry_runs_itself_, false) || (request_.node && request_.continues) ||
                         context_.models.preferred(request_.id, conversation_) == chosen->id;
    entry_.reset();
    enter_target(*chosen);
    context_.models.note_given(request_.id, target_->id);
    attempts_.note_attempt(target_->id);
    lanes_.begin(target_->id);
    answer_.begin_attempt();
    phase_ = Phase::asking;
    if (!try_start()) {
        phase_ = Phase::waiting_for_paths;
        wait_until_ = context_.now.time + context_.options.paths_deadline;
    }
    return {};
}

bool UserRequest::try_start() {
    auto paths = context_.pool.usable();
    if (paths.size() < context_.options.threshold.k) return false;
    phase_ = Phase::asking;
    std::vector<exchange::Lane> lanes;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        lanes.push_back(lane < paths.size() ? lanes_.open(lane, paths[lane]) : exchange::Lane{});
    auto find_onion_key = [this](const NodeId& id) -> std::optional<crypto::AgreementPublicKey> {
        const ModelNodeInfo* node = context_.models.find(id);
        return node == nullptr ? std::nullopt : std::optional(node->onion_key);
    };
    // The body is kept for another attempt until something was answered.
    side_ = std::make_unique<exchange::UserSide>(request_, exchange::owner_of(request_.id, context_.owner_secret),
                                                 exchange::Target{target_->id, target_->onion_key},
                                                 context_.options.threshold, lanes, find_onion_key,
                                                 context_.options.timing, context_.random, *this, *this);
    const Time now = context_.now.time;
    for (std::size_t lane = paths.size(); lane < lanes_.size(); ++lane) side_->on_lane_down(lane, now);
    if (auto started = side_->start(now); !started) fail_with(started.error());
    return true;
}

void UserRequest::on_lane_lost(std::size_t lane) {
    if (side_ && side_->lane_up(lane)) side_->on_lane_down(lane, context_.now.time);
}

void UserRequest::replace_lanes() {
    if (!side_ || side_->finished()) return;
    const Time now = context_.now.time;
    for (const auto& [lane, path] : lanes_.replacements(now)) {
        ++context_.counters.lanes_replaced;
        exchange::Lane replacement = lanes_.open(lane, path);
        side_->on_lane_replaced(lane, replacement, now);
    }
}

void UserRequest::on_path_up() {
    if (phase_ == Phase::waiting_for_paths)
        try_start();
    else
        replace_lanes();
}

void UserRequest::on_path_down(std::size_t lane) {
    lanes_.drop(lane);
    on_lane_lost(lane);
    replace_lanes();
}

void UserRequest::on_clove(std::size_t lane, ByteView clove) {
    if (side_) side_->on_clove(lane, clove, context_.now.time);
}

void UserRequest::on_stream_closed(std::size_t lane, onion::CloseReason reason) {
    lanes_.on_closed(lane, reason, context_.now.time);
    on_lane_lost(lane);
    if (reason != onion::CloseReason::unreachable || !side_ || side_->finished()) return;
    // A few proxies may lie or be cut off; when the rest are too few, the node is gone.
    const auto& threshold = context_.options.threshold;
    if (lanes_.unreachable() > static_cast<std::size_t>(threshold.n - threshold.k))
        on_error({ErrorCode::unavailable, "model node " + side_->serving_node().brief() + " cannot be reached"});
}

void UserRequest::on_accepted(const NodeId& serving) {
    if (!target_ || serving == target_->id) return;
    // The node that was asked forwarded the request; from now on the streams lead to the one that has it.
    entry_ = target_->id;
    leave_target();
    if (const ModelNodeInfo* node = context_.models.find(serving)) enter_target(*node);
    ++context_.counters.forwarded;
    context_.models.note_given(request_.id, serving);
    lanes_.retarget(serving);
}

void UserRequest::on_head(const inference::ReplyHead& head) {
    if (phase_ == Phase::over) return;
    const NodeId& serving = side_->serving_node();
    if (head.status >= first_server_error) {
        attempts_.exclude(serving);
        if (try_another() || try_entry_itself()) return;
    }
    phase_ = Phase::answering;
    if (answer_.begun()) {
        if (!answer_.events().on_head(head))
            return fail_with({ErrorCode::unavailable, "the answer was interrupted, and model node " + serving.brief() +
                                                          " did not resume it: status " + std::to_string(head.status)});
        // A comment, which readers of event streams pass over.
        return pass(to_bytes(": planetserve-resumed " + serving.hex() + "\n\n"));
    }
    answer_.begin(request_.path, std::exchange(request_.body, {}), head);
    inference::ReplyHead passed = head;
    passed.headers.emplace_back("x-planetserve-model-node", serving.hex());
    passed.headers.emplace_back("x-planetserve-paths", lanes_.paths());
    sink_.on_head(passed);
}

void UserRequest::on_body(ByteView bytes) {
    if (phase_ == Phase::over) return;
    answer_.note_received(bytes.size());
    Bytes fresh = answer_.events().take(bytes);
    if (answer_.events().deviated()) return resume_or_fail();
    pass(fresh);
}

void UserRequest::pass(const Bytes& bytes) {
    const std::size_t credit = answer_.note_passed(bytes.size());
    if (side_ && credit > 0) side_->consumed(credit);
    if (!bytes.empty()) sink_.on_body(bytes);
}

void UserRequest::consumed(std::size_t bytes) {
    const std::size_t credit = answer_.note_consumed(bytes);
    if (side_ && credit > 0) side_->consumed(credit);
}

void UserRequest::on_end() {
    if (phase_ == Phase::over) return;
    Bytes last = answer_.events().end();
    if (answer_.events().deviated()) return resume_or_fail();
    context_.models.note_answered(conversation_, side_->serving_node());
    finish(last);
}

void UserRequest::finish(const Bytes& last) {
    if (!last.empty()) sink_.on_body(last);
    if (phase_ == Phase::over) return;  // the sink left within that call
    phase_ = Phase::over;
    context_.owner.retire(number_);
    sink_.on_end();
}

void UserRequest::on_error(const Error& error) {
    if (phase_ == Phase::over) return;
    if (phase_ == Phase::answering && worth_resuming(error) && resume()) return;
    if (phase_ != Phase::answering && worth_another_node(error) && (try_another() || try_again_later(error))) return;
    fail_with(error);
}

void UserRequest::fail_with(const Error& error) {
    ++context_.counters.failed;
    if (phase_ == Phase::over) return;
    phase_ = Phase::over;
    context_.owner.retire(number_);
    sink_.on_error(error);
}

void UserRequest::resume_or_fail() {
    if (!resume()) fail_with(not_resumed);
}

bool UserRequest::resume() {
    if (!attempts_.may_resume()) return false;
    auto body = answer_.events().resume();
    if (!body) return false;
    attempts_.begin_resumption();
    ++context_.counters.resumed;
    end_attempt();
    if (body->empty()) {
        finish(answer_.events().end());
        return true;
    }
    request_.body = std::move(*body);
    // Not the same request: a node that still has the first must not answer with it.
    request_.id = context_.random.id<IdempotencyId>();
    if (begin()) return true;
    // There is no other node. The one that failed may come back.
    phase_ = Phase::asking;
    return try_again_later(not_resumed);
}

bool UserRequest::try_another() {
    if (!attempts_.may_try_another()) return false;
    if (context_.models.choose(request_, conversation_, attempts_.excluded()) == nullptr) return false;
    end_attempt();
    ++context_.counters.retried;
    return begin().has_value();
}

bool UserRequest::try_entry_itself() {
    if (!entry_ || request_.node) return false;
    entry_runs_itself_ = true;
    attempts_.admit(*std::exchange(entry_, std::nullopt));
    // Where it forwarded this request, it would forward it again.
    request_.id = context_.random.id<IdempotencyId>();
    return try_another();
}

bool UserRequest::try_again_later(const Error& error) {
    if (!worth_waiting(error) || !attempts_.may_begin_round()) return false;
    end_attempt();
    attempts_.begin_round();
    last_error_ = error;
    phase_ = Phase::pausing;
    wait_until_ = context_.now.time + context_.options.round_pause;
    return true;
}

void UserRequest::end_attempt() {
    if (side_) {
        side_->cancel();
        past_sides_.push_back(std::move(side_));
    }
    lanes_.close_all();
    leave_target();
}

void UserRequest::enter_target(const ModelNodeInfo& node) {
    target_ = node;
    context_.models.enter(node.id);
}

void UserRequest::leave_target() {
    if (target_) context_.models.leave(target_->id);
    target_.reset();
}

void UserRequest::abandon(Farewell farewell) {
    phase_ = Phase::over;
    if (side_ && farewell == Farewell::silent) past_sides_.push_back(std::move(side_));
    end_attempt();
}

void UserRequest::on_corrupt_lane(std::size_t lane) {
    ++context_.counters.corrupt_lanes;
    if (auto path = lanes_.path(lane)) context_.pool.distrust(*path, context_.now);
}

void UserRequest::on_timer() {
    const Time now = context_.now.time;
    if (phase_ == Phase::pausing && now >= wait_until_) {
        ++context_.counters.retried;
        // The node may be listed no longer; what was wrong with it before says more than that.
        if (!begin()) return fail_with(last_error_);
    } else if (phase_ == Phase::waiting_for_paths && now >= wait_until_) {
        std::string problem = context_.pool.last_problem();
        return fail_with(
            {ErrorCode::unavailable, "too few paths are up" + (problem.empty() ? std::string() : ": " + problem)});
    }
    if (side_) side_->on_timer(now);
    replace_lanes();
}

Time UserRequest::next_timer() const {
    if (phase_ == Phase::over) return Time::max();
    Time next = std::min(side_ ? side_->next_timer() : Time::max(), lanes_.next_retry());
    bool waits = phase_ == Phase::waiting_for_paths || phase_ == Phase::pausing;
    return waits ? std::min(next, wait_until_) : next;
}

}  // namespace planetserve::node
