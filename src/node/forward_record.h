// How the peers of one group did with the requests that this node forwarded to them. An answer does not come by way of
// the entry node, so it sees only what its users do: they cancel, or come back and ask it to run the request itself.
// Pure; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "base/token_buckets.h"
#include "exchange/forwards.h"
#include "node/experience.h"

namespace planetserve::node {

struct ForwardRecordLimits {
    // Forwards to one peer of which nothing is known yet: so many lose a few seconds to a peer that takes requests and
    // does not answer them. Each delivery that still counts allows as many more.
    double unknown = 8;
    // A forward of which nothing is heard is no longer counted then.
    Duration unknown_for = 30s;
    // How long a user may take to come back: a silent node is given up after 20 s, one that says it is at work after
    // some minutes.
    Duration remembered_for = 5min;
    std::size_t maximum_remembered = 4096;
    // What users say against peers, by way of one neighbour: users are anonymous, and may lie. By way of four, as many
    // as a user has paths, it is less than outweighs a peer that delivered sixteen requests lately.
    TokenRate words{.per_second = 1.0 / 120, .burst = 2};
};

class ForwardRecord {
public:
    explicit ForwardRecord(ForwardRecordLimits limits = {}) : limits_(limits), words_(limits.words) {}

    void on_forwarded(const IdempotencyId& request, const NodeId& to, Time now);
    // Of a request that came by way of a neighbour.
    void on_outcome(const NodeId& to, const NodeId& via, exchange::ForwardOutcome outcome, Time now);
    // A user asks this node to run itself what was this request before. If that was forwarded lately, the peer did not
    // answer it. Returns whether it was. Only its user, this node and the peer know a request's id.
    bool on_return(const IdempotencyId& request, const NodeId& via, Time now);
    // Peers that get nothing at present: they failed, or too much is unknown of them.
    std::set<NodeId> shunned(Time now);

private:
    // A user says so, by way of a neighbour.
    void blame_by_word(const NodeId& to, const NodeId& via, Time now);

    struct Forwarded {
        NodeId to;
        Time at;
    };

    ForwardRecordLimits limits_;
    Experience experience_;
    std::map<NodeId, std::deque<Time>> unknown_;
    std::map<IdempotencyId, Forwarded> forwarded_;
    std::deque<std::pair<Time, IdempotencyId>> oldest_first_;
    TokenBuckets words_;  // of each neighbour
};

}  // namespace planetserve::node
