// One TLS connection to another node: handshake, hello, frames in and out, keep-alive. Owned by the LinkManager.
#pragma once

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "adapters/links/keep_alive.h"
#include "adapters/links/link_options.h"
#include "adapters/links/tls_session.h"
#include "wire/frame_reader.h"
#include "wire/hello.h"

namespace planetserve::adapters {

class Link;

// The events of a link, for its manager. on_link_closed is the last.
class LinkOwner {
public:
    virtual ~LinkOwner() = default;
    // The peer proved its id and sent an acceptable hello. A refusal closes the link; the peer is told.
    virtual wire::Admission admit_link(Link& link) = 0;
    // It was admitted, and may be written to.
    virtual void on_link_ready(Link& link) = 0;
    virtual void on_link_frame(Link& link, wire::FrameType type, MutableByteView payload) = 0;
    virtual void on_link_drained(Link& link) = 0;
    virtual void on_link_closed(Link& link, const Error& why) = 0;
    // There is something to write: call flush() when the events at hand are processed.
    virtual void request_flush(Link& link) = 0;
    // What the link holds of an incomplete frame was `before` bytes and is `after`.
    virtual void on_link_holds(std::size_t before, std::size_t after) = 0;
    // The link has processed what one reading brought.
    virtual void on_link_read() = 0;
};

class Link : public std::enable_shared_from_this<Link> {
public:
    using Socket = boost::asio::ip::tcp::socket;
    using Side = LinkSide;

    Link(Socket socket, SSL_CTX* context, Side side, std::optional<NodeId> expected, const wire::Hello& hello,
         const LinkOptions& options, LinkOwner& owner);

    void start(Time now);
    // Requires: ready(). Queues a frame; it goes out when the events at hand are processed.
    void write(wire::FrameType type, std::initializer_list<ByteView> parts);
    // Tells the peer why, then closes. No event follows.
    void close(const wire::Goodbye& why);
    // Writes as much of the queue as the socket takes.
    void flush();
    // Closes without a goodbye and without an event.
    void abandon();
    // Closes as for a fault of the peer.
    void fail(Error why) { fail_with(std::move(why)); }
    // Deadlines, keep-alive, idle close. Call every second or so.
    void on_timer(Time now);

    const NodeId& peer() const { return *peer_; }
    bool has_peer() const { return peer_.has_value(); }
    const wire::Hello& peer_hello() const { return peer_hello_; }
    Side side() const { return side_; }
    // Why the peer closed the link, where it said so.
    std::optional<wire::GoodbyeReason> peer_goodbye() const { return peer_goodbye_; }
    bool ready() const { return state_ == State::ready; }
    // When a frame other than a ping last went either way, as of the timer's last tick.
    Time used_at() const { return keep_alive_.used_at(); }
    std::size_t queued() const { return out_.size() - written_ + tls_.pending().size(); }
    const LinkCounters& counters() const { return counters_; }
    // Bytes of an incomplete frame, and when it began, as of the timer's last tick.
    std::size_t incomplete() const { return reader_.buffered(); }
    Time incomplete_since() const { return incomplete_since_; }

private:
    enum class State {
        handshake,
        hello,
        ready,
        closing,  // by the manager, which wants no event
        closed,
    };

    void handshake();
    void wait_readable();
    void wait_writable();
    void on_readable(std::size_t size);
    void read_more(std::size_t turn);
    void take(ByteView raw);
    void decrypt();
    bool send_records();
    void release_buffers();
    void refill_read_budget(Duration passed);
    void note_held(std::size_t bytes);
    void socket_failed(const boost::system::error_code& error);
    void append(wire::FrameType type, std::initializer_list<ByteView> parts);
    // By its header alone, before anything of it is held.
    wire::FrameUse use_of(wire::FrameType type) const;
    bool on_frame(wire::FrameType type, MutableByteView payload);
    void on_ping(ByteView payload);
    void on_hello(ByteView payload);
    void on_goodbye(ByteView payload);
    void say_goodbye(const wire::Goodbye& why);
    void fail_with(Error why);
    void shut();

    Socket socket_;
    TlsSession tls_;
    Side side_;
    wire::Hello hello_;
    const LinkOptions& options_;
    LinkOwner& owner_;
    State state_ = State::handshake;
    std::optional<NodeId> peer_;
    wire::Hello peer_hello_;
    std::optional<wire::GoodbyeReason> peer_goodbye_;
    wire::FrameReader reader_;
    Time incomplete_since_{};
    std::size_t held_ = 0;  // as its owner was told last
    // The socket waits with this buffer. A reading that does not fill it has emptied the socket.
    std::array<std::uint8_t, 2048> first_piece_;
    Bytes out_;
    std::size_t written_ = 0;
    std::uint64_t pong_end_ = 0;  // counters_.bytes_out once the last pong is written
    bool flush_requested_ = false;
    bool waiting_readable_ = false;
    bool waiting_writable_ = false;
    bool above_high_water_ = false;
    KeepAlive keep_alive_;
    std::size_t read_budget_;
    LinkCounters counters_;
};

}  // namespace planetserve::adapters
