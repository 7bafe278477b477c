// The user's API: OpenAI's HTTP interface over a Service (docs/api.md).
//
// Everything happens on the thread that runs the io_context.
#pragma once

#include <prometheus/registry.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "inference/service.h"

namespace planetserve::adapters {

struct ApiOptions {
    Endpoint listen{"127.0.0.1", 0};
    std::optional<std::string> api_key;  // demanded as a bearer token; needed on any address but the loopback
    std::size_t maximum_body = 16 << 20;
    std::size_t maximum_connections = 512;
    Duration header_deadline = 10s;
    Duration body_deadline = 60s;
    Duration idle_deadline = 75s;    // to a request's first byte
    Duration write_deadline = 120s;  // for a client to read what is being written to it
    Duration linger_deadline = 5s;   // for a client to close its end after the last reply
    // After accept fails, for example without file descriptors.
    Duration accept_pause = 100ms;
    // A stream that is silent for this long gets a comment, so that no proxy in between takes it for dead: nginx closes
    // after 60 s.
    Duration keep_alive = 10s;
};

struct ServedModel {
    std::string id;
    std::int64_t created = 0;  // seconds since 1970
    std::string owned_by;
};

// The node's state, for the API.
class ApiState {
public:
    virtual ~ApiState() = default;
    virtual std::vector<ServedModel> models() = 0;
    virtual Status ready() = 0;  // or why not
    virtual std::string status_json() = 0;
    // Called before the figures at /metrics are written, so that the node updates its own.
    virtual void refresh_metrics() {}
};

class HttpSession;
struct ApiShared;

class ApiServer {
public:
    // All but the options outlive the server.
    ApiServer(boost::asio::io_context& context, ApiOptions options, inference::Service& service, ApiState& state,
              prometheus::Registry& metrics, Random& random);
    ~ApiServer();

    // Starts accepting; gives the real port where 0 was asked. Refuses an address other than the loopback without an
    // API key.
    Result<Endpoint> listen();
    // Stops accepting and ends every connection; requests under way are cancelled.
    void shut_down();
    // Stops accepting, closes connections between two requests, and lets requests under way finish within this time;
    // then cancels them. `done` is called from the io_context, once, when the last connection is closed; never if the
    // server is destroyed before. A second call can shorten the time of the first; each has its `done` called.
    void drain(Duration within, std::function<void()> done);

private:
    void accept();

    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer pause_;
    boost::asio::steady_timer drain_deadline_;
    std::shared_ptr<ApiShared> shared_;
};

}  // namespace planetserve::adapters
