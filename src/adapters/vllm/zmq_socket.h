// A ZeroMQ socket in an io_context. Private to src/adapters/vllm.
#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>
#include <vector>
#include <zmq.hpp>

#include "base/bytes.h"

namespace planetserve::adapters {

class ZmqSocket : public std::enable_shared_from_this<ZmqSocket> {
public:
    using Message = std::vector<zmq::message_t>;
    using Handler = std::function<void(const Message&)>;

    // Throws zmq::error_t.
    ZmqSocket(boost::asio::io_context& context, zmq::context_t& zmq, zmq::socket_type type);
    ~ZmqSocket() { close(); }

    zmq::socket_t& socket() { return socket_; }
    // Calls the handler for each message, until close().
    void receive(Handler handler);
    void close();

private:
    void wait();
    // Returns false when there is no message.
    bool take(Message& message);
    void drain();

    boost::asio::io_context& context_;
    zmq::socket_t socket_;
    boost::asio::posix::stream_descriptor descriptor_;
    Handler handler_;
    bool closed_ = false;
};

inline ByteView bytes_of(const zmq::message_t& message) {
    return {static_cast<const std::uint8_t*>(message.data()), message.size()};
}

}  // namespace planetserve::adapters
