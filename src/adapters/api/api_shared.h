// What all connections of an ApiServer share. It outlives the server for as long as one of them is open.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "adapters/api/api_metrics.h"
#include "adapters/api/api_server.h"
#include "adapters/api/request_ids.h"

namespace planetserve::adapters {

class HttpSession;

struct ApiShared : std::enable_shared_from_this<ApiShared> {
    enum class Serving {
        open,
        draining,  // nothing is accepted; a connection ends with the request it is at
        stopped,
    };

    ApiShared(ApiOptions own_options, inference::Service& own_service, ApiState& own_state,
              prometheus::Registry& registry, Random& own_random)
        : options(std::move(own_options)),
          service(own_service),
          state(own_state),
          metrics(registry),
          random(own_random),
          ids(id_key()) {}

    // No connection takes another request.
    bool ending() const { return serving != Serving::open; }
    void close_all();
    void close_idle();
    // Has `drained` called, from the executor, once no connection is open.
    void tell_if_empty(const boost::asio::any_io_executor& executor);

    // The node's, or one of this process where it gives none.
    Bytes id_key() const {
        if (!options.id_key.empty()) return options.id_key;
        return to_bytes(random.id<FixedBytes<struct IdKeyTag, 32>>().bytes());
    }

    ApiOptions options;
    inference::Service& service;
    ApiState& state;
    ApiMetrics metrics;
    Random& random;
    RequestIds ids;
    SystemClock clock;
    std::set<HttpSession*> sessions;  // those whose connection is open
    Serving serving = Serving::open;
    std::vector<std::function<void()>> drained;
};

}  // namespace planetserve::adapters
