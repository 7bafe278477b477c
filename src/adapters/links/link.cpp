#include "adapters/links/link.h"

#include <netinet/tcp.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>

#include "base/requires.h"
#include "wire/frame_roles.h"

namespace planetserve::adapters {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// Bytes that a link reads before others get their turn.
constexpr std::size_t read_turn = 256 * 1024;
// Bytes that one system call may read.
constexpr std::size_t read_piece = 128 * 1024;
// Plaintext of one TLS record.
constexpr std::size_t largest_record = 16 * 1024;
// Records are made ahead of the socket by about this much.
constexpr std::size_t write_piece = 128 * 1024;
// Twice what flush makes: only answers of TLS itself can add to that.
constexpr std::size_t most_records = 2 * write_piece;
// Bytes that the system may hold unsent, besides those under way to the peer.
constexpr int system_queue = 128 * 1024;
using NotSentMark = asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>;
// An idle link gives back larger buffers than this.
constexpr std::size_t keep_buffer = 8 * 1024;

}  // namespace

Link::Link(Socket socket, SSL_CTX* context, Side side, std::optional<NodeId> expected, const wire::Hello& hello,
           const LinkOptions& options, LinkOwner& owner)
    : socket_(std::move(socket)),
      tls_(context, side, expected),
      side_(side),
      hello_(hello),
      options_(options),
      owner_(owner),
      read_budget_(options.maximum_inbound_rate) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    // What the system holds and has not sent is a queue that no path's turn comes into.
    socket_.set_option(NotSentMark(system_queue), ignored);
}

void Link::start(Time now) {
    keep_alive_.start(now);
    handshake();
    wait_readable();
}

// Continues the handshake with what has come; the answer is sent at once.
void Link::handshake() {
    auto progress = tls_.handshake();
    if (!progress) return fail_with(progress.error());
    if (*progress == TlsSession::Handshake::under_way) {
        send_records();
        return;
    }
    peer_ = tls_.peer();
    if (!peer_) return fail_with({ErrorCode::authentication, "the peer showed no certificate"});
    state_ = State::hello;
    // The end that accepted speaks second, so that its hello says that the link was admitted.
    if (side_ == Side::dialed) append(wire::FrameType::hello, {wire::encode(hello_)});
    flush();
}

void Link::wait_readable() {
    if (waiting_readable_ || state_ == State::closed || read_budget_ == 0) return;
    waiting_readable_ = true;
    socket_.async_read_some(asio::buffer(first_piece_),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                                self->waiting_readable_ = false;
                                if (self->state_ == State::closed) return;
                                if (error) return self->socket_failed(error);
                                self->on_readable(size);
                                self->owner_.on_link_read();
                            });
}

void Link::wait_writable() {
    if (waiting_writable_ || state_ == State::closed) return;
    waiting_writable_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
        self->waiting_writable_ = false;
        if (error || self->state_ == State::closed) return;
        self->flush();
    });
}

void Link::socket_failed(const error_code& error) {
    std::string what = error == asio::error::eof ? "the peer closed the connection" : error.message();
    if (state_ == State::handshake) return fail_with({ErrorCode::authentication, "TLS handshake: " + what});
    fail_with({ErrorCode::unavailable, what});
}

void Link::on_readable(std::size_t size) {
    take(ByteView(first_piece_).first(size));
    if (state_ == State::closed) return;
    if (size < first_piece_.size())
        wait_readable();
    else
        read_more(size);
}

// Reads until the socket has no more, or this link's turn is over.
void Link::read_more(std::size_t turn) {
    // One for all links of a thread: the link processes what it read before another reads.
    thread_local Bytes piece(read_piece);
    while (turn < read_turn && read_budget_ > 0) {
        std::size_t most = std::min(piece.size(), read_budget_);
        error_code error;
        std::size_t size = socket_.read_some(asio::buffer(piece.data(), most), error);
        if (error == asio::error::would_block) return wait_readable();
        if (error) return socket_failed(error);
        turn += size;
        take(ByteView(piece).first(size));
        if (state_ == State::closed) return;
        if (size < most) return wait_readable();
    }
    if (read_budget_ == 0) return;  // the timer refills it
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        if (self->state_ == State::closed) return;
        self->read_more(0);
        self->owner_.on_link_read();
    });
}

void Link::take(ByteView raw) {
    auto self = shared_from_this();  // an event may make the manager drop us
    read_budget_ -= std::min(read_budget_, raw.size());
    keep_alive_.on_heard();
    tls_.feed(raw);
    if (state_ == State::handshake) handshake();
    if (state_ == State::hello || state_ == State::ready) decrypt();
    tls_.feed({});
}

void Link::decrypt() {
    if (reader_.buffered() == 0) incomplete_since_ = keep_alive_.now();
    for (;;) {
        MutableByteView room = reader_.room(std::clamp(tls_.unread(), first_piece_.size(), largest_record));
        auto size = tls_.read(room);
        if (!size) return fail_with(size.error());
        if (*size == 0) break;
        reader_.filled(*size);
        counters_.bytes_in += *size;
        auto taken =
            reader_.take([&](wire::FrameType type) { return use_of(type); },
                         [&](wire::FrameType type, MutableByteView payload) { return on_frame(type, payload); });
        if (state_ == State::closed) return;
        if (!taken && state_ == State::hello)
            return fail_with({ErrorCode::malformed, "the peer did not begin with a hello"});
        if (!taken) return fail_with(taken.error());
        counters_.frames_skipped = reader_.skipped();
    }
    note_held(reader_.buffered());
    if (state_ == State::closed) return;
    // TLS answers a peer that asks for new keys.
    if (!tls_.pending().empty() && !waiting_writable_) send_records();
    if (tls_.held() > most_records) fail_with({ErrorCode::exhausted, "the peer asks for new keys and does not read"});
}

wire::FrameUse Link::use_of(wire::FrameType type) const {
    const bool greets = type == wire::FrameType::hello || type == wire::FrameType::goodbye;
    // A peer whose hello has not come is anybody: it makes this node hold no more than a hello.
    if (state_ == State::hello && !greets) return wire::FrameUse::refuse;
    if (options_.takes_calls && type == wire::FrameType::call_request) return wire::FrameUse::take;
    return wire::takes(hello_.role, type) ? wire::FrameUse::take : wire::FrameUse::skip;
}

bool Link::on_frame(wire::FrameType type, MutableByteView payload) {
    ++counters_.frames_in;
    incomplete_since_ = keep_alive_.now();
    keep_alive_.on_frame();
    if (type == wire::FrameType::goodbye) {
        on_goodbye(payload);
    } else if (state_ == State::hello) {
        on_hello(payload);
    } else if (type == wire::FrameType::ping) {
        on_ping(payload);
    } else if (type == wire::FrameType::hello) {
        fail_with({ErrorCode::malformed, "a second hello"});
    } else if (type != wire::FrameType::pong) {
        keep_alive_.on_used();
        owner_.on_link_frame(*this, type, payload);
    }
    return state_ != State::closed;
}

// At most one pong waits: a peer that pings and does not read must not fill the memory. Any frame tells it that this
// end is alive, so one pong is enough.
void Link::on_ping(ByteView payload) {
    if (counters_.bytes_out < pong_end_) return;
    append(wire::FrameType::pong, {payload});
    pong_end_ = counters_.bytes_out + out_.size() - written_;
}

void Link::on_hello(ByteView payload) {
    auto hello = wire::parse_hello(payload);
    if (!hello) return fail_with(hello.error());
    peer_hello_ = *hello;
    wire::Admission admitted = wire::check_compatible(hello_, *hello);
    if (admitted) admitted = owner_.admit_link(*this);
    if (state_ == State::closed) return;
    if (!admitted) {
        say_goodbye({admitted.error().reason, admitted.error().error.message});
        return fail_with(admitted.error().error);
    }
    if (side_ == Side::accepted) append(wire::FrameType::hello, {wire::encode(hello_)});
    state_ = State::ready;
    owner_.on_link_ready(*this);
}

void Link::on_goodbye(ByteView payload) {
    wire::Goodbye goodbye = wire::parse_goodbye(payload);
    peer_goodbye_ = goodbye.reason;
    std::string why = goodbye.detail.empty() ? std::string(describe(goodbye.reason)) : goodbye.detail;
    fail_with({ErrorCode::unavailable, "the peer said goodbye: " + why});
}

void Link::say_goodbye(const wire::Goodbye& why) {
    append(wire::FrameType::goodbye, {wire::encode(why)});
    flush();
}

void Link::write(wire::FrameType type, std::initializer_list<ByteView> parts) {
    REQUIRES(ready());
    keep_alive_.on_used();
    append(type, parts);
}

void Link::append(wire::FrameType type, std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (ByteView part : parts) size += part.size();
    wire::append_frame_header(out_, type, size);
    for (ByteView part : parts) planetserve::append(out_, part);
    ++counters_.frames_out;
    if (queued() > options_.high_water) above_high_water_ = true;
    if (flush_requested_ || waiting_writable_) return;
    flush_requested_ = true;
    owner_.request_flush(*this);
}

// Sends what TLS has made; false when the socket takes no more now, or failed.
bool Link::send_records() {
    while (!tls_.pending().empty()) {
        error_code error;
        std::size_t size = socket_.write_some(asio::buffer(tls_.pending().data(), tls_.pending().size()), error);
        if (error == asio::error::would_block) {
            wait_writable();
            return false;
        }
        if (error) {
            socket_failed(error);
            return false;
        }
        tls_.on_sent(size);
    }
    return true;
}

void Link::flush() {
    auto self = shared_from_this();
    flush_requested_ = false;
    if (state_ == State::closed) return;
    while (send_records() && written_ < out_.size()) {
        while (written_ < out_.size() && tls_.pending().size() < write_piece) {
            auto size = tls_.write(ByteView(out_).subspan(written_));
            if (!size) return fail_with(size.error());
            written_ += *size;
            counters_.bytes_out += *size;
        }
    }
    if (state_ == State::closed) return;
    if (written_ == out_.size()) {
        out_.clear();
        written_ = 0;
    } else if (written_ > out_.size() / 2) {
        out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(written_));
        written_ = 0;
    }
    // Records are longer than what they hold, so a queue may come above the mark here too.
    if (queued() > options_.high_water) above_high_water_ = true;
    if (above_high_water_ && queued() <= options_.high_water / 2 && ready()) {
        above_high_water_ = false;
        owner_.on_link_drained(*this);
    }
}

// Large buffers are kept while they are used, and given back in a quiet second.
void Link::release_buffers() {
    if (queued() == 0 && out_.capacity() + tls_.capacity() > keep_buffer) {
        out_ = Bytes{};
        tls_.release();
    }
    if (reader_.buffered() == 0 && reader_.capacity() > keep_buffer) reader_.release();
}

void Link::note_held(std::size_t bytes) {
    const std::size_t before = std::exchange(held_, bytes);
    if (before != bytes) owner_.on_link_holds(before, bytes);
}

void Link::refill_read_budget(Duration passed) {
    bool starved = read_budget_ == 0;
    double refill = static_cast<double>(options_.maximum_inbound_rate) * std::min(1.0, to_seconds(passed));
    read_budget_ = std::min(options_.maximum_inbound_rate, read_budget_ + static_cast<std::size_t>(refill));
    if (starved) wait_readable();
}

void Link::on_timer(Time now) {
    KeepAlive::Tick tick = keep_alive_.tick(now);
    if (state_ == State::closed) return;
    if (tick.quiet) release_buffers();
    if (state_ != State::ready) {
        if (keep_alive_.age() >= options_.handshake_deadline)
            fail_with({ErrorCode::timed_out, "no handshake within the deadline"});
        return;
    }
    if (reader_.buffered() > 0 && now - incomplete_since_ >= options_.frame_deadline)
        return fail_with({ErrorCode::timed_out, "a frame that did not come to its end"});
    refill_read_budget(tick.passed);
    switch (keep_alive_.due(options_)) {
        case KeepAlive::Due::nothing:
            return;
        case KeepAlive::Due::ping:
            return append(wire::FrameType::ping, {Bytes(8)});
        case KeepAlive::Due::silent:
            return fail_with({ErrorCode::timed_out, "the peer does not answer"});
        case KeepAlive::Due::idle:
            say_goodbye({wire::GoodbyeReason::idle});
            return fail_with({ErrorCode::unavailable, "idle"});
    }
}

void Link::close(const wire::Goodbye& why) {
    if (state_ == State::closed) return;
    bool heard = state_ == State::ready || state_ == State::hello;  // the peer can read a frame
    state_ = State::closing;
    if (heard) {
        auto self = shared_from_this();
        say_goodbye(why);
    }
    shut();
}

void Link::abandon() { shut(); }

void Link::fail_with(Error why) {
    if (state_ == State::closed) return;
    auto self = shared_from_this();
    bool told = state_ != State::closing;
    shut();
    if (told) owner_.on_link_closed(*this, why);
}

void Link::shut() {
    state_ = State::closed;
    note_held(0);
    error_code ignored;
    if (peer_) tls_.close();
    // The last words, a TLS alert among them, if the socket takes them at once.
    if (!tls_.pending().empty())
        socket_.write_some(asio::buffer(tls_.pending().data(), tls_.pending().size()), ignored);
    socket_.close(ignored);
    tls_.feed({});
    tls_.release();
    out_ = Bytes{};
    written_ = 0;
}

}  // namespace planetserve::adapters
