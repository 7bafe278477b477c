#include "adapters/api/api_server.h"

#include <boost/asio/write.hpp>

#include "adapters/api/http_session.h"

namespace planetserve::adapters {

using boost::asio::ip::tcp;
using boost::system::error_code;

ApiServer::ApiServer(boost::asio::io_context& context, ApiOptions options, inference::Service& service, ApiState& state,
                     prometheus::Registry& metrics, Random& random)
    : acceptor_(context),
      pause_(context),
      drain_deadline_(context),
      shared_(std::make_shared<ApiShared>(std::move(options), service, state, metrics, random)) {}

ApiServer::~ApiServer() {
    shut_down();
    shared_->drained.clear();
}

Result<Endpoint> ApiServer::listen() {
    const ApiOptions& options = shared_->options;
    error_code error;
    auto address =
        boost::asio::ip::make_address(options.listen.host == "localhost" ? "127.0.0.1" : options.listen.host, error);
    if (error)
        return fail(ErrorCode::invalid_argument,
                    "'" + options.listen.host + "' is not an IP address for the API to listen on");
    if (!address.is_loopback() && (!options.api_key || options.api_key->empty()))
        return fail(ErrorCode::permission_denied,
                    "the API may listen on " + options.listen.host +
                        " only with a key, since others can reach it there; set api.key, or listen on 127.0.0.1");
    tcp::endpoint local(address, options.listen.port);
    acceptor_.open(local.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(local, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (error)
        return fail(ErrorCode::io, "the API cannot listen on " + options.listen.to_string() + ": " + error.message());
    accept();
    return Endpoint{address.to_string(), acceptor_.local_endpoint().port()};
}

void ApiServer::accept() {
    acceptor_.async_accept([this, shared = shared_](error_code error, tcp::socket socket) {
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
            pause_.expires_after(shared->options.accept_pause);
            pause_.async_wait([this, shared](error_code cancelled) {
                if (!cancelled && !shared->ending()) accept();
            });
            return;
        }
        accept();
    });
}

void ApiServer::shut_down() {
    if (std::exchange(shared_->serving, ApiShared::Serving::stopped) == ApiShared::Serving::stopped) return;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
    drain_deadline_.cancel();
    shared_->close_all();
}

void ApiServer::drain(Duration within, std::function<void()> done) {
    bool first = shared_->serving == ApiShared::Serving::open;
    if (first) shared_->serving = ApiShared::Serving::draining;
    error_code ignored;
    acceptor_.close(ignored);
    pause_.cancel();
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
    shared_->tell_if_empty(acceptor_.get_executor());
}

}  // namespace planetserve::adapters
