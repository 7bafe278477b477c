// A connection to a server over a unix socket, TCP or TLS; and the idle connections to one server.
#pragma once

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <deque>
#include <functional>
#include <memory>

#include "adapters/llama/http_engine.h"

namespace planetserve::adapters {

// It calls handlers on the io_context's thread, never before the call that gave them has returned. A pending operation
// keeps the connection alive.
class HttpConnection : public std::enable_shared_from_this<HttpConnection> {
public:
    using Handler = std::function<void(boost::system::error_code, std::size_t)>;

    HttpConnection(boost::asio::io_context& context, const HttpTarget& target, boost::asio::ssl::context* tls);

    // The handler gets what failed, as "resolving api.example.org".
    void connect(std::function<void(boost::system::error_code, std::string)> handler);
    void read_some(MutableByteView into, Handler handler);
    void write(ByteView bytes, Handler handler);  // all of the bytes
    void close();
    // False when the server closed the connection, or sent bytes that nobody asked for.
    bool seems_alive();

    Time idle_since{};

private:
    using Socket = boost::asio::generic::stream_protocol::socket;

    void connect_unix(std::function<void(boost::system::error_code, std::string)> handler);
    void connect_tcp(std::shared_ptr<boost::asio::ip::tcp::resolver::results_type> found,
                     boost::asio::ip::tcp::resolver::results_type::const_iterator next,
                     std::function<void(boost::system::error_code, std::string)> handler);
    void shake_hands(std::function<void(boost::system::error_code, std::string)> handler);

    const HttpTarget target_;
    Socket socket_;
    boost::asio::ip::tcp::resolver resolver_;
    std::unique_ptr<boost::asio::ssl::stream<Socket&>> tls_;
    bool closed_ = false;
};

class HttpPool {
public:
    HttpPool(boost::asio::io_context& context, HttpEngineOptions options);

    // An idle connection that seems alive, or null.
    std::shared_ptr<HttpConnection> take_kept();
    std::shared_ptr<HttpConnection> make();
    // Keeps the connection for the next request, or closes it when there are enough.
    void keep(std::shared_ptr<HttpConnection> connection);
    void close_kept();

    boost::asio::io_context& context;
    const HttpEngineOptions options;
    std::size_t busy = 0;  // requests under way

    std::size_t kept() const { return kept_.size(); }

private:
    std::unique_ptr<boost::asio::ssl::context> tls_;
    std::deque<std::shared_ptr<HttpConnection>> kept_;  // longest unused first
    bool closed_ = false;
};

}  // namespace planetserve::adapters
