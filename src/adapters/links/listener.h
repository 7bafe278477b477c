// Accepts connections, and pauses where the system gives no descriptor or memory for one.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>

#include "base/endpoint.h"
#include "base/lifetime.h"
#include "base/result.h"
#include "base/time.h"

namespace planetserve::adapters {

class Listener {
public:
    using OnConnection = std::function<void(boost::asio::ip::tcp::socket)>;

    Listener(boost::asio::io_context& context, OnConnection on_connection);

    // Starts accepting; returns the address with the real port where 0 was asked. Fails with `invalid_argument` for
    // what is no IP address, and with `io`.
    Result<Endpoint> listen(const Endpoint& endpoint);
    void stop();

private:
    void accept();
    void pause();

    OnConnection on_connection_;
    boost::asio::ip::tcp::acceptor acceptor_;
    boost::asio::steady_timer timer_;
    Duration pause_{};
    Lifetime lifetime_;
};

}  // namespace planetserve::adapters
