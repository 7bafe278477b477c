#include "verification/standings.h"

namespace planetserve::verification {

const Standing* Standings::find(const NodeId& node) const {
    auto found = all_.find(node);
    return found == all_.end() ? nullptr : &found->second;
}

void Standings::set(const NodeId& node, const Standing& standing) {
    if (const Standing* before = find(node)) by_last_epoch_.erase({before->last_epoch, node});
    by_last_epoch_.emplace(standing.last_epoch, node);
    all_[node] = standing;
}

std::vector<NodeId> Standings::forget_before(std::uint64_t epoch) {
    std::vector<NodeId> forgotten;
    while (!by_last_epoch_.empty() && by_last_epoch_.begin()->first < epoch) {
        forgotten.push_back(by_last_epoch_.begin()->second);
        by_last_epoch_.erase(by_last_epoch_.begin());
        all_.erase(forgotten.back());
    }
    return forgotten;
}

}  // namespace planetserve::verification
