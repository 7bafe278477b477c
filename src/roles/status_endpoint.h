// The status endpoint of a node without an API: health, status and metrics over HTTP, for its operator.
#pragma once

#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "adapters/api/api_server.h"
#include "roles/runtime.h"

namespace planetserve::roles {

class StatusEndpoint {
public:
    // Listens where the configuration says, on a loopback address. The runtime, the state and the metrics outlive it.
    static Result<std::unique_ptr<StatusEndpoint>> open(const std::string& listen, Runtime& runtime,
                                                        adapters::ApiState& state, prometheus::Registry& metrics);

    // How the log and the run file name it; nothing where there is none.
    static std::optional<HttpService> service(const StatusEndpoint* endpoint) {
        if (endpoint == nullptr) return std::nullopt;
        return HttpService{"status endpoint", endpoint->url_};
    }

private:
    // Refuses requests: users ask over the overlay.
    class NoService final : public inference::Service {
    public:
        Result<std::unique_ptr<inference::Exchange>> start(inference::Request, inference::ReplySink&) override;
    };

    NoService service_;
    std::unique_ptr<adapters::ApiServer> server_;
    std::string url_;
};

}  // namespace planetserve::roles
