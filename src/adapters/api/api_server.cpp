#include "adapters/api/api_server.h"

#include <boost/asio/write.hpp>

#include "adapters/api/http_session.h"

namespace planetserve::adapters {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

// Beyond the loopback others can reach it.
Status check_key(const ApiOptions& options, const boost::asio::ip::address& address) {
    if (address.is_loopback() || (options.api_key && !options.api_key->empty())) return {};
    return fail(ErrorCode::permission_denied,
                "the API may listen on " + options.listen.host +
                    " only with a key, since others can reach it there; set api.key, or listen on 127.0.0.1");
}

Result<boost::asio::ip::address> address_of(const ApiOptions& options) {
    error_code error;
    auto address =
        boost::asio::ip::make_address(options.listen.host == "localhost" ? "127.0.0.1" : options.listen.host, error);
    if (error)
        return fail(ErrorCode::invalid_argument,
                    "'" + options.listen.host + "' is not an IP address for the API to listen on");
    return address;
}

}  // namespace

ApiServer::ApiServer(boost::asio::io_context& context, ApiOptions options, inference::Service& service, ApiState& state,
                     prometheus::Registry& metrics, Random& random)
    : door_(context),
      door_v6_(context),
      drain_deadline_(context),
      shared_(std::make_shared<ApiShared>(std::move(options), service, state, metrics, random)) {}

ApiServer::~ApiServer() {
    shut_down();
    shared_->drained.clear();
}

Result<Endpoint> ApiServer::listen() {
    const ApiOptions& options = shared_->options;
    auto address = address_of(options);
    if (!address) return std::unexpected(address.error());
    if (auto checked = check_key(options, *address); !checked) return std::unexpected(checked.error());
    if (error_code error = open(door_, tcp::endpoint(*address, options.listen.port)))
        return fail(ErrorCode::io, "the API cannot listen on " + options.listen.to_string() + ": " + error.message());
    const std::uint16_t port = door_.acceptor.local_endpoint().port();
    if (options.listen.host == "localhost") open_v6(port);
    accept(door_);
    return Endpoint{address->to_string(), port};
}

error_code ApiServer::open(Door& door, const tcp::endpoint& local) {
    error_code error;
    door.acceptor.open(local.protocol(), error);
    if (!error) door.acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) door.acceptor.bind(local, error);
    if (!error) door.acceptor.listen(boost::asio::socket_base::max_listen_connections, error);
    return error;
}

// Where this machine has no IPv6, or another program has the port there, clients fall back to 127.0.0.1.
void ApiServer::open_v6(std::uint16_t port) {
    if (!open(door_v6_, tcp::endpoint(boost::asio::ip::address_v6::loopback(), port))) return accept(door_v6_);
    error_code ignored;
    door_v6_.acceptor.close(ignored);
}

Status ApiServer::change(const ApiOptions& options) {
    auto address = address_of(shared_->options);
    if (!address) return std::unexpected(address.error());
    ApiOptions changed = shared_->options;
    changed.api_key = options.api_key;
    changed.allowed_origins = options.allowed_origins;
    changed.maximum_body = options.maximum_body;
    if (auto checked = check_key(changed, *address); !checked) return checked;
    shared_->options = std::move(changed);
    return {};
}

void ApiServer::accept(Door& door) {
    door.acceptor.async_accept([this, &door, shared = shared_](error_code error, tcp::socket socket) {
        if (shared->serving == ApiShared::Serving::stopped || error == boost::asio::error::operation_aborted) return;
        if (!error && shared->sessions.size() < shared->options.maximum_connections) {
            std::make_shared<HttpSession>(std::move(socket), shared)->start();
        } else if (!error) {
            static constexpr std::string_view full =
                "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            error_code ignored;
            socket.non_blocking(true, ignored);
            socket.write_some(boost::asio::buffer(full), ignored);
        } else {
            // The connection still waits to be accepted: to try again at once would only fail again.
            door.pause.expires_after(shared->options.accept_pause);
            door.pause.async_wait([this, &door, shared](error_code cancelled) {
                if (!cancelled && !shared->ending()) accept(door);
            });
            return;
        }
        accept(door);
    });
}

void ApiServer::stop_accepting() {
    error_code ignored;
    for (Door* door : {&door_, &door_v6_}) {
        door->acceptor.close(ignored);
        door->pause.cancel();
    }
}

void ApiServer::shut_down() {
    if (std::exchange(shared_->serving, ApiShared::Serving::stopped) == ApiShared::Serving::stopped) return;
    stop_accepting();
    drain_deadline_.cancel();
    shared_->close_all();
}

void ApiServer::drain(Duration within, std::function<void()> done) {
    bool first = shared_->serving == ApiShared::Serving::open;
    if (first) shared_->serving = ApiShared::Serving::draining;
    stop_accepting();
    if (first || std::chrono::steady_clock::now() + within < drain_deadline_.expiry()) {
        drain_deadline_.expires_after(within);
        drain_deadline_.async_wait([this, shared = shared_](error_code cancelled) {
            if (!cancelled && shared->serving != ApiShared::Serving::stopped) shut_down();
        });
    }
    shared_->drained.push_back([this, told = std::move(done)] {
        drain_deadline_.cancel();
        told();
    });
    shared_->close_idle();
    shared_->tell_if_empty(door_.acceptor.get_executor());
}

}  // namespace planetserve::adapters
