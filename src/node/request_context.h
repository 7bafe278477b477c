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

}  // namespace planetserve::node
