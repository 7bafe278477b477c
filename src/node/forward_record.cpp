#include "node/forward_record.h"

namespace planetserve::node {

namespace {

// A record is of one model's group.
Server server(const NodeId& node) { return {node, {}}; }

}  // namespace

void ForwardRecord::on_forwarded(const IdempotencyId& request, const NodeId& to, Time now) {
    unknown_[to].push_back(now);
    while (!oldest_first_.empty() && (oldest_first_.size() >= limits_.maximum_remembered ||
                                      now - oldest_first_.front().first >= limits_.remembered_for)) {
        auto found = forwarded_.find(oldest_first_.front().second);
        // It may have been forwarded again since.
        if (found != forwarded_.end() && found->second.at == oldest_first_.front().first) forwarded_.erase(found);
        oldest_first_.pop_front();
    }
    forwarded_[request] = {to, now};
    oldest_first_.emplace_back(now, request);
}

void ForwardRecord::on_outcome(const NodeId& to, const NodeId& via, exchange::ForwardOutcome outcome, Time now) {
    if (auto unknown = unknown_.find(to); unknown != unknown_.end() && !unknown->second.empty())
        unknown->second.pop_front();
    switch (outcome) {
        case exchange::ForwardOutcome::cancelled:
            return;
        case exchange::ForwardOutcome::refused:
            return experience_.failed(server(to), blame::partial, now);
        case exchange::ForwardOutcome::undelivered:
            return blame_by_word(to, via, now);
        case exchange::ForwardOutcome::quiet:
            return experience_.delivered(server(to), {}, now);
    }
}

void ForwardRecord::blame_by_word(const NodeId& to, const NodeId& via, Time now) {
    words_.forget_full(now);
    if (words_.take(via, now)) experience_.failed(server(to), blame::full, now);
}

bool ForwardRecord::on_return(const IdempotencyId& request, const NodeId& via, Time now) {
    auto found = forwarded_.find(request);
    if (found == forwarded_.end() || now - found->second.at >= limits_.remembered_for) return false;
    blame_by_word(found->second.to, via, now);
    forwarded_.erase(found);
    return true;
}

std::set<NodeId> ForwardRecord::shunned(Time now) {
    std::set<NodeId> shunned = experience_.failing(now);
    for (auto peer = unknown_.begin(); peer != unknown_.end();) {
        auto& [node, forwards] = *peer;
        while (!forwards.empty() && now - forwards.front() >= limits_.unknown_for) forwards.pop_front();
        const double allowed = limits_.unknown * (1 + experience_.deliveries(server(node), now));
        if (static_cast<double>(forwards.size()) >= allowed) shunned.insert(node);
        peer = forwards.empty() ? unknown_.erase(peer) : std::next(peer);
    }
    return shunned;
}

}  // namespace planetserve::node
