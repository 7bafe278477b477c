#include "adapters/links/link.h"

#include <openssl/err.h>

#include <boost/asio/post.hpp>

namespace planetserve::adapters {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

// One turn reads this much before others get theirs.
constexpr std::size_t read_turn = 256 * 1024;
constexpr std::size_t read_piece = 64 * 1024;
constexpr std::size_t write_piece = 64 * 1024;
// An idle link gives back larger buffers than this.
constexpr std::size_t keep_buffer = 8 * 1024;

}  // namespace

Link::Link(Socket socket, SSL_CTX* context, Side side, std::optional<NodeId> expected, const wire::Hello& hello,
           const LinkOptions& options, LinkOwner& owner)
    : socket_(std::move(socket)),
      ssl_(SSL_new(context)),
      side_(side),
      expected_(expected),
      hello_(hello),
      options_(options),
      owner_(owner),
      read_budget_(options.maximum_inbound_rate) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(asio::ip::tcp::no_delay(true), ignored);
    SSL_set_fd(ssl_, socket_.native_handle());
    if (side_ == Side::dialed)
        SSL_set_connect_state(ssl_);
    else
        SSL_set_accept_state(ssl_);
}

Link::~Link() { SSL_free(ssl_); }

void Link::start(Time now) {
    now_ = started_ = heard_at_ = used_at_ = now;
    handshake();
}

void Link::handshake() {
    ERR_clear_error();
    int done = SSL_do_handshake(ssl_);
    if (done == 1) {
        peer_ = peer_id(ssl_);
        if (!peer_)
            return fail_with({ErrorCode::authentication, "the peer's certificate does not hold an Ed25519 key"});
        if (expected_ && *peer_ != *expected_)
            return fail_with({ErrorCode::authentication,
                              "node " + peer_->brief() + " answered where " + expected_->brief() + " was expected"});
        state_ = State::hello;
        append(wire::FrameType::hello, {wire::encode(hello_)});
        flush();
        if (state_ != State::closed) read();
        return;
    }
    switch (SSL_get_error(ssl_, done)) {
        case SSL_ERROR_WANT_READ:
            return wait_readable();
        case SSL_ERROR_WANT_WRITE:
            return wait_writable();
        default:
            return fail_with({ErrorCode::authentication, "TLS handshake: " + tls_error()});
    }
}

void Link::wait_readable() {
    if (waiting_readable_ || state_ == State::closed) return;
    waiting_readable_ = true;
    socket_.async_wait(Socket::wait_read, [self = shared_from_this()](error_code error) {
        self->waiting_readable_ = false;
        if (error || self->state_ == State::closed) return;
        if (self->state_ == State::handshake)
            self->handshake();
        else
            self->read();
    });
}

void Link::wait_writable() {
    if (waiting_writable_ || state_ == State::closed) return;
    waiting_writable_ = true;
    socket_.async_wait(Socket::wait_write, [self = shared_from_this()](error_code error) {
        self->waiting_writable_ = false;
        if (error || self->state_ == State::closed) return;
        if (self->state_ == State::handshake)
            self->handshake();
        else
            self->flush();
    });
}

void Link::read() {
    auto self = shared_from_this();  // an event may make the manager drop us
    std::size_t turn = 0;
    while (turn < read_turn && read_budget_ > 0) {
        MutableByteView room = reader_.room(read_piece);
        std::size_t size = 0;
        ERR_clear_error();
        int done = SSL_read_ex(ssl_, room.data(), std::min(room.size(), read_budget_), &size);
        if (done != 1) {
            int error = SSL_get_error(ssl_, done);
            if (error == SSL_ERROR_WANT_READ) {
                if (reader_.buffered() == 0 && reader_.capacity() > keep_buffer && turn < keep_buffer)
                    reader_.release();
                return wait_readable();
            }
            if (error == SSL_ERROR_WANT_WRITE) return wait_writable();
            return fail_with({ErrorCode::unavailable,
                              error == SSL_ERROR_ZERO_RETURN ? "the peer closed the connection" : tls_error()});
        }
        reader_.filled(size);
        turn += size;
        read_budget_ -= size;
        counters_.bytes_in += size;
        heard_at_ = now_;
        auto taken =
            reader_.take([&](wire::FrameType type, MutableByteView payload) { return on_frame(type, payload); });
        if (state_ == State::closed) return;
        if (!taken) return fail_with(taken.error());
    }
    if (read_budget_ == 0) return;  // the timer refills it
    asio::post(socket_.get_executor(), [self] {
        if (self->state_ != State::closed) self->read();
    });
}

bool Link::on_frame(wire::FrameType type, MutableByteView payload) {
    ++counters_.frames_in;
    pinged_at_.reset();
    if (type == wire::FrameType::goodbye) {
        fail_with({ErrorCode::unavailable, "the peer said goodbye: " + to_string(payload)});
    } else if (state_ == State::hello) {
        if (type == wire::FrameType::hello)
            on_hello(payload);
        else
            fail_with({ErrorCode::malformed, "the peer did not begin with a hello"});
    } else if (type == wire::FrameType::ping) {
        append(wire::FrameType::pong, {payload});
    } else if (type == wire::FrameType::hello) {
        fail_with({ErrorCode::malformed, "a second hello"});
    } else if (type != wire::FrameType::pong) {
        used_at_ = now_;
        owner_.on_link_frame(*this, type, payload);
    }
    return state_ != State::closed;
}

void Link::on_hello(ByteView payload) {
    auto hello = wire::parse_hello(payload);
    if (!hello) return fail_with(hello.error());
    peer_hello_ = *hello;
    Status accepted = wire::check_compatible(hello_, *hello);
    if (accepted) {
        state_ = State::ready;
        accepted = owner_.on_link_ready(*this);
    }
    if (accepted) return;
    append(wire::FrameType::goodbye, {as_bytes(accepted.error().message.substr(0, 256))});
    flush();
    fail_with(accepted.error());
}

void Link::write(wire::FrameType type, std::initializer_list<ByteView> parts) {
    used_at_ = now_;
    append(type, parts);
}

void Link::append(wire::FrameType type, std::initializer_list<ByteView> parts) {
    std::size_t size = 0;
    for (ByteView part : parts) size += part.size();
    wire::append_frame_header(out_, type, size);
    for (ByteView part : parts) planetserve::append(out_, part);
    ++counters_.frames_out;
    if (queued() > options_.high_water) above_high_water_ = true;
    if (flush_posted_ || waiting_writable_) return;
    flush_posted_ = true;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        if (self->state_ != State::closed) self->flush();
    });
}

void Link::flush() {
    auto self = shared_from_this();
    while (written_ < out_.size()) {
        std::size_t size = 0;
        ERR_clear_error();
        int done = SSL_write_ex(ssl_, out_.data() + written_, std::min(out_.size() - written_, write_piece), &size);
        if (done != 1) {
            int error = SSL_get_error(ssl_, done);
            if (error == SSL_ERROR_WANT_WRITE) break;
            if (error == SSL_ERROR_WANT_READ) return wait_readable();
            return fail_with({ErrorCode::unavailable, tls_error()});
        }
        written_ += size;
        counters_.bytes_out += size;
    }
    if (written_ == out_.size()) {
        out_.clear();
        if (out_.capacity() > keep_buffer) out_.shrink_to_fit();
        written_ = 0;
    } else {
        if (written_ > out_.size() / 2) {
            out_.erase(out_.begin(), out_.begin() + static_cast<std::ptrdiff_t>(written_));
            written_ = 0;
        }
        wait_writable();
    }
    if (above_high_water_ && queued() <= options_.high_water / 2 && ready()) {
        above_high_water_ = false;
        owner_.on_link_drained(*this);
    }
}

void Link::on_timer(Time now) {
    Duration passed = now - now_;
    now_ = now;
    if (state_ == State::closed) return;
    if (state_ != State::ready) {
        if (now - started_ >= options_.handshake_deadline)
            fail_with({ErrorCode::timed_out, "no handshake within the deadline"});
        return;
    }
    bool starved = read_budget_ == 0;
    double refill = static_cast<double>(options_.maximum_inbound_rate) * std::min(1.0, to_seconds(passed));
    read_budget_ = std::min(options_.maximum_inbound_rate, read_budget_ + static_cast<std::size_t>(refill));
    if (starved && read_budget_ > 0) return read();
    if (pinged_at_ && now - *pinged_at_ >= options_.pong_deadline)
        return fail_with({ErrorCode::timed_out, "the peer does not answer"});
    if (now - used_at_ >= options_.idle_close) {
        append(wire::FrameType::goodbye, {as_bytes("idle")});
        flush();
        return fail_with({ErrorCode::unavailable, "idle"});
    }
    if (!pinged_at_ && now - heard_at_ >= options_.ping_after) {
        pinged_at_ = now;
        append(wire::FrameType::ping, {Bytes(8)});
    }
}

void Link::close(const Error& why) {
    if (state_ == State::closed) return;
    if (state_ == State::ready || state_ == State::hello) {
        append(wire::FrameType::goodbye, {as_bytes(why.message.substr(0, 256))});
        auto self = shared_from_this();
        state_ = State::hello;  // so that a full queue's drain is no event
        flush();
    }
    shut();
}

void Link::abandon() { shut(); }

void Link::fail_with(Error why) {
    if (state_ == State::closed) return;
    auto self = shared_from_this();
    shut();
    owner_.on_link_closed(*this, why);
}

void Link::shut() {
    state_ = State::closed;
    error_code ignored;
    if (peer_) SSL_shutdown(ssl_);
    socket_.close(ignored);
    out_ = Bytes{};
}

}  // namespace planetserve::adapters
