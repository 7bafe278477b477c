// How often a request may be tried, on which model nodes it was, and how many engines failed with it. Pure; not
// thread-safe.
//
// A round is a few attempts on different nodes. When every node of a round failed, a pause and another round follow.
// An interrupted answer that resumes begins anew with its first round.
#pragma once

#include <algorithm>
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
        ++attempts_;
    }
    bool may_try_another() const { return in_round_ < options_.maximum_attempts && may_fail_engines(); }
    // Whether the next attempt is another one.
    bool tried() const { return attempts_ > 0; }

    // A node was left since its answer did not begin in time. The next is given more of it: where all are busy, a
    // request that leaves each queue soon is served by none.
    void note_late() { ++late_; }
    int patience() const { return 1 << std::min(late_, 4); }

    // An engine failed while it had the request, or gave an answer that says so: perhaps because of the request.
    void note_engine_failure() { ++engine_failures_; }
    bool may_fail_engines() const { return engine_failures_ < options_.maximum_engine_failures; }

    bool may_begin_round() const { return rounds_ < options_.maximum_rounds && may_fail_engines(); }
    void begin_round() {
        ++rounds_;
        in_round_ = 0;
        excluded_.clear();
    }

    bool may_resume() const { return resumptions_ < options_.maximum_resumptions && may_fail_engines(); }
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
    std::size_t attempts_ = 0;  // in all rounds
    std::size_t engine_failures_ = 0;
    int late_ = 0;
};

}  // namespace planetserve::node
