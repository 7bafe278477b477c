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
// So does an engine's end, if the request was not the reason.
bool worth_waiting(const Error& error) {
    return error.code == ErrorCode::unavailable || error.code == ErrorCode::timed_out ||
           error.code == ErrorCode::internal;
}

// Of an answer that had begun: its node is gone, or its engine.
bool worth_resuming(const Error& error) { return worth_waiting(error); }

// On an exchange this code says that the engine ended, or fell silent, while it had the request.
bool engine_failed(const Error& error) { return error.code == ErrorCode::internal; }

// What an error before or in the answer says of the node that gave it.
double blame_of(const Error& error) {
    switch (error.code) {
        case ErrorCode::invalid_argument:
        case ErrorCode::already_exists:
        case ErrorCode::permission_denied:
        case ErrorCode::cancelled:
            return 0;
        case ErrorCode::exhausted:
            return blame::busy;
        case ErrorCode::internal:
            return blame::partial;
        default:
            return blame::full;
    }
}

// From this status on, another node may do better: full, or its engine failed. No engine does what the first says that
// it cannot do.
constexpr unsigned first_server_error = 500;
constexpr unsigned engine_error = 500;
constexpr unsigned not_implemented = 501;
constexpr unsigned no_place = 503;

// A node is given so many times what this user has seen a node of the model take.
constexpr int patience_times_usual = 3;

// Clients do not repeat a request for an error of this kind.
const Error engines_failed{ErrorCode::invalid_argument,
                           "engine_failed: the engines of two model nodes failed while they had this request, so no "
                           "other is asked"};
const Error not_resumed{ErrorCode::unavailable, "the answer was interrupted, and no node resumes it"};

// No node would take the request.
bool is_requests_fault(const Error& error) { return error.code == ErrorCode::invalid_argument; }

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
    Error refused{ErrorCode::unavailable, "no other model node serves '" + request_.model + "'"};
    while (const ModelNodeInfo* chosen = next_node()) {
        // A second attempt is not to be forwarded: the node that takes all that is forwarded may be the one that
        // failed.
        request_.continues = attempts_.tried() || (request_.node && request_.continues) ||
                             context_.models.preferred(request_.id, conversation_) == chosen->id;
        entry_.reset();
        enter_target(*chosen);
        context_.models.note_given(request_.id, target_->id);
        attempts_.note_attempt(target_->id);
        lanes_.begin(target_->id);
        answer_.begin_attempt();
        auto started = try_start();
        if (started && !*started) {
            phase_ = Phase::waiting_for_paths;
            wait_until_ = context_.now.time + context_.options.paths_deadline;
        }
        if (started) return {};
        refused = started.error();
        if (!is_requests_fault(refused)) note_failure(blame::full);
        end_attempt();
        if (is_requests_fault(refused)) break;
    }
    return std::unexpected(refused);
}

const ModelNodeInfo* UserRequest::next_node() {
    if (auto named = std::exchange(ask_next_, std::nullopt); named && context_.models.may_answer(request_, *named))
        return context_.models.find(*named);
    request_.returns.reset();
    return context_.models.choose(request_, conversation_, attempts_.excluded(), context_.now.time);
}

Result<bool> UserRequest::try_start() {
    auto paths = free_paths(context_);
    if (paths.size() < context_.options.threshold.k) return false;
    phase_ = Phase::asking;
    times_.begin(request_.body.size(), context_.now.time);
    std::vector<exchange::Lane> lanes;
    for (std::size_t lane = 0; lane < lanes_.size(); ++lane)
        lanes.push_back(lane < paths.size() ? lanes_.open(lane, paths[lane]) : exchange::Lane{});
    auto find_onion_key = [this](const NodeId& id) { return context_.models.key_of_server(request_, id); };
    // The body is kept for another attempt until something was answered.
    side_ = std::make_unique<exchange::UserSide>(request_, exchange::owner_of(request_.id, context_.owner_secret),
                                                 exchange::Target{target_->id, target_->onion_key},
                                                 context_.options.threshold, lanes, find_onion_key,
                                                 context_.options.timing, context_.random, *this, *this);
    const Time now = context_.now.time;
    for (std::size_t lane = paths.size(); lane < lanes_.size(); ++lane) side_->on_lane_down(lane, now);
    if (auto started = side_->start(now); !started) return std::unexpected(started.error());
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
    if (phase_ != Phase::waiting_for_paths) return replace_lanes();
    auto started = try_start();
    if (started) return;
    if (is_requests_fault(started.error())) return fail_with(started.error());
    note_failure(blame::full);
    if (!try_another()) fail_with(started.error());
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
    if (!target_ || phase_ == Phase::over) return;
    const Time now = context_.now.time;
    const Duration usual = context_.models.quickest_first_byte(request_, now).value_or(Duration{});
    const PatienceLimits& patience = context_.options.patience;
    const Duration patient = std::max(patience_for(request_, patience), usual * patience_times_usual);
    times_.taken(now + std::min(patient * attempts_.patience(), patience.longest), now + patience.longest);
    if (serving == target_->id) return;
    // The node that was asked forwarded the request; from now on the streams lead to the one that has it.
    entry_ = target_->id;
    leave_target();
    if (const ModelNodeInfo* node = context_.models.find(serving)) enter_target(*node);
    ++context_.counters.forwarded;
    // The request is for the node that handed it on, and comes back to it.
    if (request_.node && !context_.models.may_answer(request_, serving)) {
        if (!try_entry_itself())
            fail_with({ErrorCode::unavailable,
                       "model node " + request_.node->brief() + " hands on a request that is for it alone"});
        return;
    }
    // It failed this user before, so it is not waited for again.
    if ((attempts_.excluded().contains(serving) || context_.models.fails_mostly({serving, request_.model}, now)) &&
        try_entry_itself())
        return;
    context_.models.note_given(request_.id, serving);
    lanes_.retarget(serving);
}

void UserRequest::on_head(const inference::ReplyHead& head) {
    if (phase_ == Phase::over) return;
    const NodeId serving = side_->serving_node();
    if (head.status >= first_server_error && head.status != not_implemented) {
        attempts_.exclude(serving);
        if (head.status == engine_error) attempts_.note_engine_failure();
        note_failure(head.status == no_place ? blame::busy : blame::partial);
        if (try_another() || try_entry_itself()) return;
    }
    phase_ = Phase::answering;
    const bool streams = inference::is_event_stream(head);
    times_.answered(streams ? AttemptTimes::Answered::as_stream : AttemptTimes::Answered::whole, context_.now.time,
                    next_bytes_due());
    status_ = head.status;
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
    times_.received(bytes.size(), next_bytes_due());
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
    if (status_ < first_server_error)
        context_.models.note_answered(conversation_, {side_->serving_node(), request_.model},
                                      times_.delivery(context_.now.time), context_.now.time);
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
    note_failure(blame_of(error));
    if (engine_failed(error)) attempts_.note_engine_failure();
    if (phase_ == Phase::answering) {
        if (worth_resuming(error) && resume()) return;
    } else if (worth_another_node(error)) {
        if (side_) attempts_.exclude(side_->serving_node());
        // Perhaps it handed the request to one from which this user takes no answers, since their lists differ.
        if (error.code == ErrorCode::malformed && target_ && !entry_ && !request_.returns) entry_ = target_->id;
        // The node that forwarded the request learns that it was not answered.
        if (try_entry_itself() || try_another() || try_again_later(error)) return;
    }
    if (!attempts_.may_fail_engines()) return fail_with(engines_failed);
    fail_with(error);
}

void UserRequest::note_fault(ModelNodes::Fault fault, double weight) {
    // With too few paths it is not the node that failed.
    if (weight == 0 || !target_ || !side_ || side_->lanes_up() < context_.options.threshold.k) return;
    const Time now = context_.now.time;
    context_.models.note_fault(request_, conversation_, side_->serving_node(), fault, weight, now);
    if (entry_) context_.models.note_fault(request_, conversation_, *entry_, fault, weight * blame::partial, now);
}

void UserRequest::on_first_byte_overdue() {
    const Time now = context_.now.time;
    const NodeId serving = side_->serving_node();
    if (now >= times_.longest_due()) {
        note_failure(blame::full);
        attempts_.exclude(serving);
        if (try_entry_itself() || try_another()) return;
        return fail_with({ErrorCode::timed_out, "model node " + serving.brief() + " did not begin its answer in time"});
    }
    attempts_.exclude(serving);
    // It is left, and blamed for it, only where another may do better.
    if (!entry_is_left() && !another_is_left()) return times_.extend();
    if (now - side_->heard_at() >= context_.options.patience.silent)
        note_failure(blame::full);
    else
        note_fault(ModelNodes::Fault::late, blame::partial);
    attempts_.note_late();
    if (!try_entry_itself()) try_another();
}

void UserRequest::on_next_bytes_overdue() {
    // A reader that takes its time holds the node back.
    if (answer_.reader_is_behind()) return times_.held_back(next_bytes_due());
    side_->cancel();
    on_error({ErrorCode::timed_out,
              "model node " + side_->serving_node().brief() + " says that it is at work, and its answer stands still"});
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

bool UserRequest::another_is_left() const {
    return attempts_.may_try_another() &&
           context_.models.choose(request_, conversation_, attempts_.excluded(), context_.now.time) != nullptr;
}

bool UserRequest::entry_is_left() const {
    return entry_ && attempts_.may_try_another() && context_.models.may_answer(request_, *entry_);
}

bool UserRequest::try_another() {
    if (!another_is_left()) return false;
    begin_again();
    return true;
}

bool UserRequest::try_entry_itself() {
    if (!entry_is_left()) return false;
    ask_next_ = std::exchange(entry_, std::nullopt);
    request_.returns = request_.id;
    // The other may still run this one. Where its answer is not taken, the id stays: a challenge's answer is signed for
    // it.
    if (!request_.node) request_.id = context_.random.id<IdempotencyId>();
    begin_again();
    return true;
}

void UserRequest::begin_again() {
    end_attempt();
    ++context_.counters.retried;
    if (auto begun = begin(); !begun && !try_again_later(begun.error())) fail_with(begun.error());
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
        if (paths_are_full(context_)) return fail_with(all_paths_full);
        std::string problem = context_.pool.last_problem();
        return fail_with(
            {ErrorCode::unavailable, "too few paths are up" + (problem.empty() ? std::string() : ": " + problem)});
    }
    if (side_) side_->on_timer(now);
    if (phase_ == Phase::asking && side_ && now >= times_.first_byte_due()) on_first_byte_overdue();
    if (phase_ == Phase::answering && side_ && now >= times_.next_bytes_due()) on_next_bytes_overdue();
    replace_lanes();
}

Time UserRequest::next_timer() const {
    if (phase_ == Phase::over) return Time::max();
    Time next = std::min(side_ ? side_->next_timer() : Time::max(), lanes_.next_retry());
    if (phase_ == Phase::asking && side_) next = std::min(next, times_.first_byte_due());
    if (phase_ == Phase::answering && side_) next = std::min(next, times_.next_bytes_due());
    bool waits = phase_ == Phase::waiting_for_paths || phase_ == Phase::pausing;
    return waits ? std::min(next, wait_until_) : next;
}

}  // namespace planetserve::node
