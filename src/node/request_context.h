// What one request uses of its user node. Private to src/node.
#pragma once

#include "exchange/user_side.h"
#include "node/model_nodes.h"
#include "node/request_lanes.h"
#include "node/user_request_options.h"

namespace planetserve::node {

class RequestOwner {
public:
    virtual ~RequestOwner() = default;
    // The request is over. It is abandoned now, and destroyed at the owner's next event.
    virtual void retire(RequestNumber number) = 0;
};

struct RequestContext {
    const UserRequestOptions& options;
    RequestOwner& owner;
    onion::PathPool& pool;
    ModelNodes& models;
    StreamIndex& streams;
    UserRequestCounters& counters;
    Random& random;
    crypto::SymmetricKey owner_secret;  // the keys that sign requests follow from it
    Now now{};                          // of the event that is handled; the owner sets it before it calls a request
};

// Paths that take another stream, in random order.
inline std::vector<onion::PathNumber> free_paths(const RequestContext& context) {
    auto paths = context.pool.usable();
    std::erase_if(paths, [&](onion::PathNumber path) {
        return context.pool.find(path)->open_streams() >= context.options.maximum_streams_per_path;
    });
    return paths;
}

// Enough paths are up, and too few of them take another stream.
inline bool paths_are_full(const RequestContext& context) {
    return context.pool.usable().size() >= context.options.threshold.k &&
           free_paths(context).size() < context.options.threshold.k;
}

inline const Error all_paths_full{ErrorCode::exhausted,
                                  "all paths carry as many requests as they take; try again when some are over"};

}  // namespace planetserve::node
