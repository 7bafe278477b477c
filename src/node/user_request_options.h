// Settings and counters of a user node's own requests.
#pragma once

#include "dispersal/split.h"
#include "exchange/user_side.h"
#include "node/patience.h"

namespace planetserve::node {

struct UserRequestOptions {
    dispersal::Threshold threshold;
    // Requests at once; each keeps its body until its answer begins.
    std::size_t maximum_requests = 256;
    // A path's proxy takes so many streams (onion::ProxyLimits), each for one request.
    std::size_t maximum_streams_per_path = 64;
    // On different model nodes, in one round: a user waits some 5 s for each that does not answer.
    std::size_t maximum_attempts = 3;
    // When no node of a round could be reached or answered, they are tried again.
    std::size_t maximum_rounds = 3;
    std::size_t maximum_resumptions = 3;  // of one interrupted answer, on other nodes
    Duration round_pause = 2s;            // proxies fetch the list every few seconds
    Duration paths_deadline = 15s;        // for enough paths: longer than building one takes
    // Nodes on which a request may be while their engines fail. A request that ends engines must not empty a network.
    std::size_t maximum_engine_failures = 2;
    PatienceLimits patience;
    exchange::UserSideTiming timing;
};

struct UserRequestCounters {
    std::uint64_t requests = 0;
    std::uint64_t retried = 0;    // on another model node, or on the same one later
    std::uint64_t resumed = 0;    // interrupted answers
    std::uint64_t forwarded = 0;  // by the model node that was asked, to another
    std::uint64_t lanes_replaced = 0;
    std::uint64_t corrupt_lanes = 0;
    std::uint64_t failed = 0;
};

}  // namespace planetserve::node
