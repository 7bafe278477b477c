#include "node/asker.h"

#include "node/ask.h"

namespace planetserve::node {

// The caller's end of a request; it may outlive the request itself.
class Asker::Handle final : public inference::Exchange {
public:
    Handle(Asker& asker, AskNumber number) : asker_(asker), number_(number) {}
    ~Handle() override { asker_.cancel(number_); }
    void consumed(std::size_t bytes) override {
        auto ask = asker_.asks_.find(number_);
        if (ask != asker_.asks_.end()) ask->second->consumed(bytes);
    }

private:
    Asker& asker_;
    AskNumber number_;
};

Asker::Asker(const NodeId& self, onion::PoolOptions pool, AskerOptions options, wire::FrameSender& sender,
             Random& random, const Clock& clock)
    : self_(self), options_(options), random_(random), clock_(clock), pool_(self, pool, sender, random, *this) {}

Asker::~Asker() {
    asks_.clear();
    retired_.clear();
}

void Asker::update_directory(DirectoryView view) {
    directory_ = std::move(view);
    pool_.update_relays(directory_.relays, clock_.read());
}

Status Asker::ready() const {
    if (directory_.models.empty()) return fail(ErrorCode::unavailable, "the directory lists no model node yet");
    std::size_t up = 0;
    for (const auto& path : pool_.status()) up += path.state == onion::PathState::up ? 1 : 0;
    if (up >= options_.threshold.n) return {};
    std::string problem = pool_.last_problem();
    return fail(ErrorCode::unavailable, std::to_string(up) + " of " + std::to_string(options_.threshold.n) +
                                            " paths are up" + (problem.empty() ? std::string() : ": " + problem));
}

Result<std::unique_ptr<inference::Exchange>> Asker::start(inference::Request request, inference::ReplySink& sink) {
    retired_.clear();
    if (asks_.size() >= options_.maximum_requests)
        return fail(ErrorCode::exhausted,
                    std::to_string(asks_.size()) + " requests are under way, which is as many as this node takes");
    if (directory_.models.empty())
        return fail(ErrorCode::unavailable, "the directory lists no model node yet; try again shortly");
    if (!request.node)
        if (Status served = is_served(directory_, request.model); !served) return std::unexpected(served.error());
    AskNumber number = next_number_++;
    auto& ask = asks_[number] = std::make_unique<Ask>(*this, number, std::move(request), sink);
    ++counters_.requests;
    if (auto begun = ask->begin(); !begun) {
        asks_.erase(number);
        return std::unexpected(begun.error());
    }
    return std::make_unique<Handle>(*this, number);
}

void Asker::cancel(AskNumber number) {
    auto ask = asks_.find(number);
    if (ask == asks_.end()) return;
    ask->second->abandon(true);
    retire(number);
}

void Asker::retire(AskNumber number) {
    auto node = asks_.extract(number);
    if (node.empty()) return;
    node.mapped()->abandon(false);
    retired_.push_back(std::move(node.mapped()));
}

void Asker::on_timer() {
    retired_.clear();
    pool_.on_timer(clock_.read());
    std::vector<AskNumber> due;
    Time now = clock_.now();
    for (const auto& [number, ask] : asks_)
        if (ask->next_timer() <= now) due.push_back(number);
    for (AskNumber number : due) {
        auto ask = asks_.find(number);
        if (ask != asks_.end()) ask->second->on_timer();
    }
}

Time Asker::next_timer() const {
    Time next = pool_.next_timer();
    for (const auto& [number, ask] : asks_) next = std::min(next, ask->next_timer());
    return next;
}

void Asker::on_path_up(onion::PathNumber) {
    std::vector<AskNumber> all;
    for (const auto& [number, ask] : asks_) all.push_back(number);
    for (AskNumber number : all) {
        auto ask = asks_.find(number);
        if (ask != asks_.end()) ask->second->on_path_up();
    }
}

void Asker::on_path_down(onion::PathNumber path, onion::DestroyReason) {
    std::vector<std::pair<AskNumber, std::size_t>> lanes;
    for (auto lane = by_stream_.lower_bound({path, 0}); lane != by_stream_.end() && lane->first.first == path; ++lane)
        lanes.push_back(lane->second);
    for (auto [number, lane] : lanes) {
        auto ask = asks_.find(number);
        if (ask != asks_.end()) ask->second->on_path_down(lane);
    }
}

void Asker::on_clove(onion::PathNumber path, onion::StreamId stream, Bytes clove) {
    auto lane = by_stream_.find({path, stream});
    if (lane == by_stream_.end()) return;
    auto ask = asks_.find(lane->second.first);
    if (ask != asks_.end()) ask->second->on_clove(lane->second.second, clove);
}

void Asker::on_stream_closed(onion::PathNumber path, onion::StreamId stream, onion::CloseReason reason) {
    auto lane = by_stream_.find({path, stream});
    if (lane == by_stream_.end()) return;
    auto ask = asks_.find(lane->second.first);
    if (ask != asks_.end()) ask->second->on_stream_closed(lane->second.second, reason);
}

}  // namespace planetserve::node
