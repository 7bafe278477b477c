#include "roles/status_endpoint.h"

namespace planetserve::roles {

namespace {

constexpr std::size_t largest_body = 64 << 10;  // bytes

}  // namespace

Result<std::unique_ptr<inference::Exchange>> StatusEndpoint::NoService::start(inference::Request,
                                                                              inference::ReplySink&) {
    return fail(ErrorCode::invalid_argument,
                "a status endpoint takes no requests; ask the API of a user node of this network");
}

Result<std::unique_ptr<StatusEndpoint>> StatusEndpoint::open(const std::string& text, Runtime& runtime,
                                                             adapters::ApiState& state, prometheus::Registry& metrics) {
    auto listen = config::parse_listen(text);
    if (!listen) return std::unexpected(listen.error());
    adapters::ApiOptions options;
    options.listen = *listen;
    options.maximum_body = largest_body;
    auto endpoint = std::make_unique<StatusEndpoint>();
    endpoint->server_ = std::make_unique<adapters::ApiServer>(runtime.context(), options, endpoint->service_, state,
                                                              metrics, runtime.random());
    auto bound = endpoint->server_->listen();
    if (!bound) return fail(bound.error().code, "status: " + bound.error().message);
    endpoint->url_ = "http://" + bound->to_string();
    return endpoint;
}

}  // namespace planetserve::roles
