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

#include "base/bytes.h"
#include "base/endpoint.h"
#include "base/random.h"
#include "base/time.h"
#include "inference/service.h"

namespace planetserve::adapters {

struct ApiOptions {
    Endpoint listen{"127.0.0.1", 0};
    std::optional<std::string> api_key;          // demanded as a bearer token; needed on any address but the loopback
    std::vector<std::string> allowed_origins{};  // web pages that may ask and read, "https://example.org"
    Bytes id_key{};                              // secret; ids of requests with an Idempotency-Key follow from it
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
    // What is wrong with the node that users ought to know although it may still answer, such as a clock that is off;
    // empty while all is well.
    virtual std::string problem() { return {}; }
    // A request for this model was answered in full.
    virtual void on_answered(const std::string& model) { static_cast<void>(model); }
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

    // Starts accepting; gives the real port where 0 was asked. "localhost" is 127.0.0.1 and, where this machine has it,
    // ::1, which many clients try first. Refuses an address other than the loopback without an API key.
    Result<Endpoint> listen();
    // What can change while it listens: the key, the origins, the largest body. Refuses what listen() would refuse.
    Status change(const ApiOptions& options);
    // Stops accepting and ends every connection; requests under way are cancelled.
    void shut_down();
    // Stops accepting, closes connections between two requests, and lets requests under way finish within this time;
    // then cancels them. `done` is called from the io_context, once, when the last connection is closed; never if the
    // server is destroyed before. A second call can shorten the time of the first; each has its `done` called.
    void drain(Duration within, std::function<void()> done);

private:
    struct Door {
        explicit Door(boost::asio::io_context& context) : acceptor(context), pause(context) {}
        boost::asio::ip::tcp::acceptor acceptor;
        boost::asio::steady_timer pause;
    };

    boost::system::error_code open(Door& door, const boost::asio::ip::tcp::endpoint& local);
    void open_v6(std::uint16_t port);
    void accept(Door& door);
    void stop_accepting();

    Door door_;
    Door door_v6_;  // for "localhost"
    boost::asio::steady_timer drain_deadline_;
    std::shared_ptr<ApiShared> shared_;
};

}  // namespace planetserve::adapters
