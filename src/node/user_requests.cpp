#include "node/user_requests.h"

#include "node/user_request.h"

namespace planetserve::node {

// The caller's end of a request; it may outlive the request itself.
class UserRequests::Handle final : public inference::Exchange {
public:
    Handle(UserRequests& requests, RequestNumber number) : requests_(requests), number_(number) {}
    ~Handle() override { requests_.cancel(number_); }
    void consumed(std::size_t bytes) override {
        requests_.with(number_, [&](UserRequest& request) { request.consumed(bytes); });
    }

private:
    UserRequests& requests_;
    RequestNumber number_;
};

UserRequests::UserRequests(const NodeId& self, onion::PoolOptions pool, UserRequestOptions options,
                           wire::FrameSender& sender, Random& random, const Clock& clock)
    : clock_(clock),
      options_(options),
      pool_(self, pool, sender, random, *this),
      models_(random),
      context_{options_, *this, pool_, models_, streams_, counters_, random, {}} {
    random.fill(context_.owner_secret.bytes());
}

UserRequests::~UserRequests() {
    requests_.clear();
    retired_.clear();
}

UserRequest* UserRequests::find(RequestNumber number) const {
    auto found = requests_.find(number);
    return found == requests_.end() ? nullptr : found->second.get();
}

template <typename Call>
void UserRequests::with(RequestNumber number, Call&& call) {
    UserRequest* request = find(number);
    if (request == nullptr) return;
    context_.now = clock_.read();
    call(*request);
}

void UserRequests::update_directory(DirectoryView view) {
    const Now now = clock_.read();
    models_.update(std::move(view), now.time);
    pool_.update_relays(directory().relays, now);
}

Status UserRequests::ready() const {
    if (directory().models.empty()) return fail(ErrorCode::unavailable, "the directory lists no model node yet");
    std::size_t up = 0;
    for (const auto& path : pool_.status()) up += path.state == onion::PathState::up ? 1 : 0;
    if (up >= options_.threshold.n) return {};
    std::string problem = pool_.last_problem();
    return fail(ErrorCode::unavailable, std::to_string(up) + " of " + std::to_string(options_.threshold.n) +
                                            " paths are up" + (problem.empty() ? std::string() : ": " + problem));
}

Result<std::unique_ptr<inference::Exchange>> UserRequests::start(inference::Request request,
                                                                 inference::ReplySink& sink) {
    retired_.clear();
    if (requests_.size() >= options_.maximum_requests)
        return fail(ErrorCode::exhausted,
                    std::to_string(requests_.size()) + " requests are under way, which is as many as this node takes");
    if (directory().models.empty())
        return fail(ErrorCode::unavailable, "the directory lists no model node yet; try again shortly");
    if (!request.node)
        if (Status served = models_.is_served(request.model, clock_.read().time); !served)
            return std::unexpected(served.error());
    if (paths_are_full(context_)) return std::unexpected(all_paths_full);
    const RequestNumber number = next_number_++;
    requests_[number] = std::make_unique<UserRequest>(context_, number, std::move(request), sink);
    ++counters_.requests;
    Status begun;
    with(number, [&](UserRequest& made) { begun = made.begin(); });
    if (!begun) {
        requests_.erase(number);
        return std::unexpected(begun.error());
    }
    return std::make_unique<Handle>(*this, number);
}

void UserRequests::cancel(RequestNumber number) {
    with(number, [](UserRequest& request) { request.abandon(UserRequest::Farewell::cancel); });
    retire(number);
}

void UserRequests::retire(RequestNumber number) {
    auto node = requests_.extract(number);
    if (node.empty()) return;
    node.mapped()->abandon(UserRequest::Farewell::silent);
    retired_.push_back(std::move(node.mapped()));
}

void UserRequests::on_timer() {
    retired_.clear();
    const Now now = clock_.read();
    pool_.on_timer(now);
    std::vector<RequestNumber> due;
    for (const auto& [number, request] : requests_)
        if (request->next_timer() <= now.time) due.push_back(number);
    for (RequestNumber number : due) with(number, [](UserRequest& request) { request.on_timer(); });
}

Time UserRequests::next_timer() const {
    Time next = pool_.next_timer();
    for (const auto& [number, request] : requests_) next = std::min(next, request->next_timer());
    return next;
}

void UserRequests::on_path_up(onion::PathNumber) {
    std::vector<RequestNumber> all;
    for (const auto& [number, request] : requests_) all.push_back(number);
    for (RequestNumber number : all) with(number, [](UserRequest& request) { request.on_path_up(); });
}

void UserRequests::on_path_down(onion::PathNumber path, onion::DestroyReason) {
    std::vector<LaneOfRequest> lanes;
    for (auto stream = streams_.lower_bound({path, 0}); stream != streams_.end() && stream->first.first == path;
         ++stream)
        lanes.push_back(stream->second);
    for (const auto& [number, lane] : lanes) with(number, [&](UserRequest& request) { request.on_path_down(lane); });
}

void UserRequests::on_clove(onion::PathNumber path, onion::StreamId stream, Bytes clove) {
    auto found = streams_.find({path, stream});
    if (found == streams_.end()) return;
    const LaneOfRequest of = found->second;
    with(of.request, [&](UserRequest& request) { request.on_clove(of.lane, clove); });
}

void UserRequests::on_stream_closed(onion::PathNumber path, onion::StreamId stream, onion::CloseReason reason) {
    auto found = streams_.find({path, stream});
    if (found == streams_.end()) return;
    const LaneOfRequest of = found->second;
    with(of.request, [&](UserRequest& request) { request.on_stream_closed(of.lane, reason); });
}

}  // namespace planetserve::node
