// How the peers of one group did with the requests that this node forwarded to them. An answer does not come by way of
// the entry node, so it sees only what its users do: they cancel, or come back and ask it to run the request itself.
// Pure; not thread-safe.
#pragma once

#include <deque>
#include <map>
#include <set>

#include "crypto/hash.h"
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
};

class ForwardRecord {
public:
    explicit ForwardRecord(ForwardRecordLimits limits = {}) : limits_(limits) {}

    // What names a request to come back with.
    static crypto::Digest digest_of(const inference::Request& request);

    void on_forwarded(const crypto::Digest& request, const NodeId& to, Time now);
    void on_outcome(const NodeId& to, exchange::ForwardOutcome outcome, Time now);
    // A user asks this node to run a request itself. If it was forwarded lately, the peer did not answer it. Returns
    // whether it was.
    bool on_return(const crypto::Digest& request, Time now);
    // Peers that get nothing at present: they failed, or too much is unknown of them.
    std::set<NodeId> shunned(Time now);

private:
    struct Forwarded {
        NodeId to;
        Time at;
    };

    ForwardRecordLimits limits_;
    Experience experience_;
    std::map<NodeId, std::deque<Time>> unknown_;
    std::map<crypto::Digest, Forwarded> forwarded_;
    std::deque<std::pair<Time, crypto::Digest>> oldest_first_;
};

}  // namespace planetserve::node
