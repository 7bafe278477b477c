// Where a node says that it can be reached: IP addresses. A name that its operator gave (`advertise`) is resolved here,
// at start and then now and again, so that nobody else resolves it.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <functional>
#include <vector>

#include "base/endpoint.h"
#include "base/lifetime.h"

namespace planetserve::roles {

class OwnAddress {
public:
    using OnChange = std::function<void()>;

    // Resolves a name, and waits for that: throws std::runtime_error where it has no address. Calls on_change whenever
    // the name has other addresses than before.
    OwnAddress(boost::asio::io_context& context, Endpoint advertised, OnChange on_change);

    // 1 to 4, sorted.
    const std::vector<Endpoint>& addresses() const { return addresses_; }

private:
    using Results = boost::asio::ip::tcp::resolver::results_type;

    void refresh_later();
    void take(const Results& results);

    Endpoint advertised_;
    OnChange on_change_;
    boost::asio::ip::tcp::resolver resolver_;
    boost::asio::steady_timer timer_;
    std::vector<Endpoint> addresses_;
    Lifetime lifetime_;
};

}  // namespace planetserve::roles
