#include "onion/relay_admission.h"

#include <algorithm>

namespace planetserve::onion {

Status RelayAdmission::admit(const NodeId& from, const Now& now) {
    prune(now.time, expiry_minutes(now.unix));
    if (remembered_ >= limits_.maximum_remembered) return fail(ErrorCode::exhausted, "too many set-ups remembered");
    auto found = neighbours_.find(from);
    if (found == neighbours_.end()) {
        // A neighbour is forgotten within a minute or so, so this many come only where identities are made in bulk.
        if (neighbours_.size() >= limits_.maximum_remembered) return fail(ErrorCode::exhausted, "too many neighbours");
        found = neighbours_.emplace(from, Neighbour{}).first;
    }
    Neighbour& neighbour = found->second;
    // No more than what is left for others: then N neighbours that take all they may leave an (N + 1)th of the table.
    const std::size_t left = limits_.maximum_remembered - remembered_;
    if (neighbour.remembered >= std::min(limits_.maximum_remembered_per_peer, left))
        return fail(ErrorCode::exhausted, "as many set-ups as one neighbour may have remembered");
    if (!neighbour.setups.take(rate(), now.time))
        return fail(ErrorCode::exhausted, "more set-ups than one neighbour may send");
    return {};
}

void RelayAdmission::restore(const Remembered& kept) {
    if (remembered_ < limits_.maximum_remembered && minutes_[kept.expiry].tags.insert(kept.tag).second) ++remembered_;
}

bool RelayAdmission::remember(const NodeId& from, const Remembered& setup, const Now& now) {
    Minute& minute = minutes_[setup.expiry];
    if (!minute.tags.insert(setup.tag).second) return false;
    journal_(setup, now);
    ++minute.by_peer[from];
    ++neighbours_[from].remembered;
    ++remembered_;
    return true;
}

void RelayAdmission::prune(Time now, ExpiryMinutes current) {
    if (current == pruned_at_) return;
    pruned_at_ = current;
    while (!minutes_.empty() && minutes_.begin()->first < current) {
        const Minute& over = minutes_.begin()->second;
        remembered_ -= over.tags.size();
        for (const auto& [peer, count] : over.by_peer) neighbours_[peer].remembered -= count;
        minutes_.erase(minutes_.begin());
    }
    std::erase_if(neighbours_, [&](const auto& item) {
        return item.second.remembered == 0 && item.second.setups.full(rate(), now);
    });
}

}  // namespace planetserve::onion
