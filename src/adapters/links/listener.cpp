#include "adapters/links/listener.h"

#include <algorithm>

namespace planetserve::adapters {

using boost::asio::ip::tcp;
using boost::system::error_code;

namespace {

// Without descriptors or memory the next attempt would fail at once, for as long as a connection waits.
constexpr Duration pause_first = 100ms;
constexpr Duration pause_most = 1s;

}  // namespace

Listener::Listener(boost::asio::io_context& context, OnConnection on_connection)
    : on_connection_(std::move(on_connection)), acceptor_(context), timer_(context) {}

Result<Endpoint> Listener::listen(const Endpoint& endpoint) {
    error_code error;
    auto address = boost::asio::ip::make_address(endpoint.host, error);
    if (error) return fail(ErrorCode::invalid_argument, "'" + endpoint.host + "' is not an IP address to listen on");
    tcp::endpoint local(address, endpoint.port);
    acceptor_.open(local.protocol(), error);
    if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor_.bind(local, error);
    if (!error) acceptor_.listen(boost::asio::socket_base::max_listen_connections, error);
    if (error) return fail(ErrorCode::io, "cannot listen on " + endpoint.to_string() + ": " + error.message());
    Endpoint bound{endpoint.host, acceptor_.local_endpoint().port()};
    accept();
    return bound;
}

void Listener::stop() {
    error_code ignored;
    acceptor_.close(ignored);
    timer_.cancel();
}

void Listener::accept() {
    acceptor_.async_accept([this, owner = lifetime_.watch()](error_code error, tcp::socket socket) {
        if (owner.gone() || !acceptor_.is_open() || error == boost::asio::error::operation_aborted) return;
        if (error) return pause();
        pause_ = {};
        on_connection_(std::move(socket));
        accept();
    });
}

void Listener::pause() {
    pause_ = pause_ == Duration{} ? pause_first : std::min(pause_ * 2, pause_most);
    timer_.expires_after(pause_);
    timer_.async_wait([this, owner = lifetime_.watch()](error_code cancelled) {
        if (!cancelled && !owner.gone() && acceptor_.is_open()) accept();
    });
}

}  // namespace planetserve::adapters
