// The standings of all model nodes with a score, and which of them expire next.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "verification/reputation.h"

namespace planetserve::verification {

class Standings {
public:
    const std::map<NodeId, Standing>& all() const { return all_; }
    // Null without a score.
    const Standing* find(const NodeId& node) const;
    void set(const NodeId& node, const Standing& standing);
    // Removes standings whose last score is of an epoch before this one; returns their nodes.
    std::vector<NodeId> forget_before(std::uint64_t epoch);

private:
    std::map<NodeId, Standing> all_;
    std::set<std::pair<std::uint64_t, NodeId>> by_last_epoch_;  // of all_
};

}  // namespace planetserve::verification
