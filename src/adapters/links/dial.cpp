#include "adapters/links/dial.h"

#include <boost/asio/connect.hpp>

namespace planetserve::adapters {

using boost::asio::ip::tcp;
using boost::system::error_code;

Dial::Dial(boost::asio::io_context& context, const NodeId& id, std::vector<Endpoint> endpoints, Time deadline,
           Done done)
    : id_(id),
      endpoints_(std::move(endpoints)),
      deadline_(deadline),
      done_(std::move(done)),
      resolver_(context),
      socket_(context) {}

void Dial::cancel() {
    cancelled_ = true;
    error_code ignored;
    resolver_.cancel();
    socket_.close(ignored);
}

void Dial::try_next() {
    if (next_ >= endpoints_.size())
        return done_(fail(ErrorCode::unavailable, "node " + id_.brief() + " cannot be reached: " + last_error_));
    const Endpoint& endpoint = endpoints_[next_++];
    const std::string port = std::to_string(endpoint.port);
    error_code not_an_address;
    auto address = boost::asio::ip::make_address(endpoint.host, not_an_address);
    if (!not_an_address)
        return connect(tcp::resolver::results_type::create(tcp::endpoint(address, endpoint.port), endpoint.host, port));
    resolver_.async_resolve(endpoint.host, port,
                            [self = shared_from_this()](error_code error, const tcp::resolver::results_type& results) {
                                if (self->cancelled_) return;
                                if (error) return self->failed(error);
                                self->connect(results);
                            });
}

void Dial::connect(const tcp::resolver::results_type& results) {
    boost::asio::async_connect(socket_, results, [self = shared_from_this()](error_code error, const tcp::endpoint&) {
        if (self->cancelled_) return;
        if (error) return self->failed(error);
        self->done_(std::move(self->socket_));
    });
}

void Dial::failed(const error_code& error) {
    last_error_ = error.message();
    try_next();
}

}  // namespace planetserve::adapters
