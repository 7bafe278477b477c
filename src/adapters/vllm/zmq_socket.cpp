#include "adapters/vllm/zmq_socket.h"

#include <boost/asio/post.hpp>

namespace planetserve::adapters {

namespace asio = boost::asio;

namespace {

// Messages that are read before the io_context gets its turn.
constexpr int messages_at_once = 64;
// Frames that are kept of one message; more are dropped.
constexpr std::size_t frames_limit = 8;

}  // namespace

ZmqSocket::ZmqSocket(asio::io_context& context, zmq::context_t& zmq, zmq::socket_type type)
    : context_(context), socket_(zmq, type), descriptor_(context) {
    socket_.set(zmq::sockopt::linger, 0);
}

void ZmqSocket::receive(Handler handler) {
    handler_ = std::move(handler);
    descriptor_.assign(socket_.get(zmq::sockopt::fd));
    asio::post(context_, [self = shared_from_this()] { self->drain(); });
}

void ZmqSocket::close() {
    if (std::exchange(closed_, true)) return;
    // The descriptor belongs to the socket.
    if (descriptor_.is_open()) descriptor_.release();
    socket_.close();
}

// The descriptor becomes readable once when something may have happened. Only the socket knows whether a message is
// there, so it is asked until there is none.
void ZmqSocket::wait() {
    if (closed_) return;
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read,
                           [self = shared_from_this()](boost::system::error_code error) {
                               if (!error) self->drain();
                           });
}

bool ZmqSocket::take(Message& message) {
    if ((socket_.get(zmq::sockopt::events) & ZMQ_POLLIN) == 0) return false;
    for (bool more = true; more;) {
        zmq::message_t frame;
        if (!socket_.recv(frame, zmq::recv_flags::dontwait)) break;
        more = frame.more();
        if (message.size() < frames_limit) message.push_back(std::move(frame));
    }
    return true;
}

void ZmqSocket::drain() {
    bool again = false;
    try {
        for (int taken = 0; !closed_ && !again; again = ++taken == messages_at_once) {
            Message message;
            if (!take(message)) break;
            // The handler may close the socket.
            if (!message.empty()) handler_(message);
        }
    } catch (const zmq::error_t& error) {
        // Only a signal interrupts a socket that is open.
        again = error.num() == EINTR;
    }
    if (!again) return wait();
    asio::post(context_, [self = shared_from_this()] { self->drain(); });
}

}  // namespace planetserve::adapters
