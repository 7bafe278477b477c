// How often a request may be tried, and on which model nodes it was. Pure; not thread-safe.
//
// A round is a few attempts on different nodes. When every node of a round failed, a pause and another round follow.
// An interrupted answer that resumes begins anew with its first round.
#pragma once

#include <set>

#include "node/user_request_options.h"

namespace planetserve::node {

class Attempts {
public:
    explicit Attempts(const UserRequestOptions& options) : options_(options) {}

    // Nodes that are not to be tried again in this round.
    const std::set<NodeId>& excluded() const { return excluded_; }
    void exclude(const NodeId& node) { excluded_.insert(node); }
    void admit(const NodeId& node) { excluded_.erase(node); }

    void note_attempt(const NodeId& node) {
        excluded_.insert(node);
        ++in_round_;
    }
    bool may_try_another() const { return in_round_ < options_.maximum_attempts; }

    bool may_begin_round() const { return rounds_ < options_.maximum_rounds; }
    void begin_round() {
        ++rounds_;
        in_round_ = 0;
        excluded_.clear();
    }

    bool may_resume() const { return resumptions_ < options_.maximum_resumptions; }
    // Nodes that failed before stay excluded.
    void begin_resumption() {
        ++resumptions_;
        in_round_ = 0;
        rounds_ = 1;
    }

private:
    const UserRequestOptions& options_;
    std::set<NodeId> excluded_;
    std::size_t in_round_ = 0;
    std::size_t rounds_ = 1;
    std::size_t resumptions_ = 0;
};

}  // namespace planetserve::node
