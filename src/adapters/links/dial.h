// One attempt to connect to a node: its addresses one after the other, host names by the system's resolver.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/endpoint.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/time.h"

namespace planetserve::adapters {

class Dial : public std::enable_shared_from_this<Dial> {
public:
    using Socket = boost::asio::ip::tcp::socket;
    // The connected socket, or `unavailable` with why the last address failed. Not called after cancel().
    using Done = std::function<void(Result<Socket>)>;

    // Its owner cancels it at the deadline.
    Dial(boost::asio::io_context& context, const NodeId& id, std::vector<Endpoint> endpoints, Time deadline, Done done);

    // Requires: it was not started. Holds the attempt until it is done.
    void start() { try_next(); }
    void cancel();

    const NodeId& id() const { return id_; }
    Time deadline() const { return deadline_; }
    bool cancelled() const { return cancelled_; }

private:
    void try_next();
    void connect(const boost::asio::ip::tcp::resolver::results_type& results);
    void failed(const boost::system::error_code& error);

    NodeId id_;
    std::vector<Endpoint> endpoints_;
    std::size_t next_ = 0;
    Time deadline_;
    Done done_;
    boost::asio::ip::tcp::resolver resolver_;
    Socket socket_;
    bool cancelled_ = false;
    std::string last_error_ = "no address";
};

}  // namespace planetserve::adapters
