// How much of all replies may wait for acknowledgements: a user names lanes and thresholds as it likes and need not
// acknowledge anything, so each session's window alone does not bound a node's memory.
//
// Every session may have a little, so that no user keeps another's reply from moving. Beyond that, sessions share a
// bound, and those that one neighbour opened share a smaller one. Not thread-safe.
#pragma once

#include <map>

#include "exchange/model_side_limits.h"
#include "exchange/session.h"

namespace planetserve::exchange {

class ReplyBudget {
public:
    explicit ReplyBudget(const ModelSideLimits& limits) : limits_(limits) {}

    // Whether the session may have one more record.
    bool allows(const Session& session) const;
    // To be called after what the session keeps changed.
    void count(Session& session);
    // The session ended.
    void forget(const Session& session);

    std::size_t bytes() const { return bytes_; }

private:
    void release(const Session& session);

    ModelSideLimits limits_;
    std::size_t bytes_ = 0;
    std::map<NodeId, std::size_t> of_opener_;
};

}  // namespace planetserve::exchange
