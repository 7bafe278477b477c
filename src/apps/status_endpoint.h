// The operator's endpoint of a node that has no API for askers: health, status and metrics over HTTP.
#pragma once

#include <prometheus/registry.h>

#include <memory>
#include <string>

#include "adapters/api/api_server.h"
#include "apps/runtime.h"

namespace planetserve::apps {

class StatusEndpoint {
public:
    // Listens where the configuration says, on a loopback address. All but the address outlive it.
    static Result<std::unique_ptr<StatusEndpoint>> open(const std::string& listen, Runtime& runtime,
                                                        adapters::ApiState& state, prometheus::Registry& metrics);

    const std::string& url() const { return url_; }

private:
    // Shows the node's state; requests come over the overlay.
    class NoService final : public inference::Service {
    public:
        Result<std::unique_ptr<inference::Exchange>> start(inference::Request, inference::ReplySink&) override;
    };

    NoService service_;
    std::unique_ptr<adapters::ApiServer> server_;
    std::string url_;
};

}  // namespace planetserve::apps
