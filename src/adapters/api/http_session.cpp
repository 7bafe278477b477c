#include "adapters/api/http_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/read.hpp>

#include "adapters/api/api_rules.h"

namespace planetserve::adapters {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::beast::error_code;

namespace {

constexpr std::size_t maximum_header = 32 * 1024;
// Bytes of a refused body that are read and dropped, so that the client sees the reply.
constexpr std::size_t maximum_drained = 64 << 20;
// Bytes of later requests that are read while a reply is under way.
constexpr std::size_t maximum_pipelined = 64 * 1024;
constexpr std::size_t read_piece = 4 * 1024;
constexpr std::size_t drain_piece = 16 * 1024;

ClientRequest::Method method_of(http::verb verb) {
    if (verb == http::verb::head) return ClientRequest::Method::head;
    return verb == http::verb::options ? ClientRequest::Method::options : ClientRequest::Method::other;
}

}  // namespace

HttpSession::HttpSession(tcp::socket socket, std::shared_ptr<ApiShared> shared)
    : socket_(std::move(socket)), shared_(std::move(shared)), deadline_(socket_.get_executor()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    shared_->sessions.insert(this);
}

HttpSession::~HttpSession() {
    reply_.reset();
    shared_->sessions.erase(this);
}

void HttpSession::close() {
    if (closed()) return;
    auto self = std::exchange(held_, nullptr);
    phase_ = Phase::closed;
    if (reply_) reply_->cancel();
    clear_deadline();
    in_flight_.reset();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    shared_->sessions.erase(this);
    shared_->tell_if_empty(socket_.get_executor());
}

void HttpSession::close_if_idle() {
    if (phase_ == Phase::idle) close();
}

void HttpSession::set_deadline(Duration after, void (HttpSession::*passed)()) {
    // A handler that is already queued when the timer is set again must find that it is stale.
    std::uint64_t round = ++deadline_round_;
    timed_out_ = false;
    deadline_.expires_after(after);
    deadline_.async_wait([weak = weak_from_this(), round, passed](error_code error) {
        auto self = weak.lock();
        if (!error && self && !self->closed() && self->deadline_round_ == round) ((*self).*passed)();
    });
}

void HttpSession::clear_deadline() {
    ++deadline_round_;
    deadline_.cancel();
}

void HttpSession::stop_reading() {
    timed_out_ = true;
    error_code ignored;
    socket_.cancel(ignored);
}

void HttpSession::await_request() {
    if (buffer_.size() > 0) return read_header();
    phase_ = Phase::idle;
    set_deadline(shared_->options.idle_deadline, &HttpSession::close);
    socket_.async_read_some(buffer_.prepare(read_piece),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                                if (self->closed()) return;
                                if (error) return self->close();
                                self->buffer_.commit(size);
                                self->read_header();
                            });
}

void HttpSession::read_header() {
    phase_ = Phase::header;
    parser_.emplace();
    parser_->header_limit(maximum_header);
    // The limit is checked in on_header, where the client can be told.
    parser_->body_limit(boost::none);
    request_ = {};
    request_.id = "req_" + shared_->random.id<FixedBytes<struct RequestIdTag, 12>>().hex();
    request_.began = shared_->clock.now();
    set_deadline(shared_->options.header_deadline, &HttpSession::stop_reading);
    http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        self->on_header_read(error);
    });
}

void HttpSession::on_header_read(error_code error) {
    if (closed()) return;
    if (!error) return on_header();
    if (timed_out_) return refuse_early({408, "the request's header did not come in time"});
    if (error == http::error::header_limit) return refuse_early({431, "the request's header is over 32 KiB"});
    bool malformed = error.category() == http::make_error_code(http::error::bad_version).category() &&
                     error != http::error::end_of_stream && error != http::error::partial_message;
    if (malformed) return refuse_early({400, "not an HTTP request: " + error.message()});
    close();
}

void HttpSession::on_header() {
    const auto& head = parser_->get();
    if (!head.keep_alive()) request_.connection = ConnectionAfter::closed;
    if (head.version() < 11) request_.version = ClientRequest::Version::http_10;
    request_.method = method_of(head.method());
    if (auto given = head["x-request-id"]; is_sane_request_id(given)) {
        request_.id = std::string(given);
        request_.id_from = ClientRequest::IdFrom::client;
    }
    if (auto wrong = check_header(*parser_, shared_->options, request_)) {
        bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
        return has_body ? refuse_early(*wrong) : refuse(*wrong);
    }
    phase_ = Phase::body;
    parser_->body_limit(shared_->options.maximum_body);
    set_deadline(shared_->options.body_deadline, &HttpSession::stop_reading);
    if (!boost::beast::iequals(head[http::field::expect], "100-continue")) return read_body();
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    boost::asio::async_write(socket_, boost::asio::buffer(go_on),
                             [self = shared_from_this()](error_code error, std::size_t) {
                                 if (self->closed()) return;
                                 if (error) return self->close();
                                 self->read_body();
                             });
}

void HttpSession::read_body() {
    http::async_read(socket_, buffer_, *parser_,
                     [self = shared_from_this()](error_code error, std::size_t) { self->on_body_read(error); });
}

void HttpSession::on_body_read(error_code error) {
    if (closed()) return;
    if (!error) return on_request();
    if (timed_out_) return refuse_early({408, "the request's body did not come in time"});
    if (error == http::error::body_limit)
        return refuse_early(
            {413, "the request's body is over " + std::to_string(shared_->options.maximum_body) + " bytes"});
    bool malformed = error == http::error::bad_chunk || error == http::error::bad_chunk_extension;
    if (malformed) return refuse_early({400, "the request's body is malformed: " + error.message()});
    close();
}

void HttpSession::on_request() {
    request_.began = shared_->clock.now();
    in_flight_.emplace(shared_->metrics);
    if (is_for_service(request_)) return pass_on();
    auto own = own_answer(request_, *shared_);
    if (!own) return refuse(own.error());
    begin_reply().answer(*own);
}

HttpReply& HttpSession::begin_reply() {
    clear_deadline();
    phase_ = Phase::answering;
    held_ = shared_from_this();
    return reply_.emplace(request_, *shared_, static_cast<ReplyConnection&>(*this), socket_.get_executor());
}

void HttpSession::refuse(const ApiError& error) { begin_reply().refuse(error); }

void HttpSession::refuse_early(const ApiError& error) {
    request_.connection = ConnectionAfter::closed;
    refuse(error);
}

void HttpSession::pass_on() {
    auto call = service_call(request_, *parser_, *shared_);
    if (!call) return refuse(call.error());
    if (begin_reply().pass_on(std::move(*call))) watch_for_hang_up();
}

void HttpSession::watch_for_hang_up() {
    if (watching_ || buffer_.size() >= maximum_pipelined) return;
    watching_ = true;
    socket_.async_read_some(buffer_.prepare(read_piece),
                            [self = shared_from_this()](error_code error, std::size_t size) {
                                self->watching_ = false;
                                if (self->closed()) return;
                                bool answering = self->phase_ == Phase::answering;
                                bool cancelled = error == boost::asio::error::operation_aborted && !answering;
                                if (error && !cancelled) return self->close();
                                self->buffer_.commit(size);
                                if (answering) return self->watch_for_hang_up();
                                self->next_request();
                            });
}

// A response whose end would be the connection's is cut by resetting that.
void HttpSession::break_off(ResponseWriter::Framing framing) {
    if (framing != ResponseWriter::Framing::chunks) {
        error_code ignored;
        socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
    }
    close();
}

void HttpSession::send() {
    if (is_sending() || closed()) return;
    HttpReply::Piece piece = reply_->take();
    if (piece.bytes.empty()) {
        // What the reply held back or left out is not waited for.
        reply_->on_sent(piece.delivered);
        if (reply_->finished()) reply_done();
        return;
    }
    sending_ = std::move(piece.bytes);
    set_deadline(shared_->options.write_deadline, &HttpSession::close);
    boost::asio::async_write(socket_, boost::asio::buffer(sending_),
                             [self = shared_from_this(), delivered = piece.delivered](error_code error, std::size_t) {
                                 self->sending_.clear();
                                 if (self->closed()) return;
                                 if (error) return self->close();
                                 self->clear_deadline();
                                 self->reply_->on_sent(delivered);
                                 self->send();
                             });
}

void HttpSession::reply_done() {
    auto self = std::exchange(held_, nullptr);
    in_flight_.reset();
    shared_->metrics.done(shared_->clock.now() - request_.began, reply_->body_bytes());
    request_.connection = reply_->connection_after();
    reply_.reset();
    phase_ = Phase::answered;
    if (!watching_) return next_request();
    // The bytes that the watching read got are the beginning of the next request: its handler continues there.
    error_code ignored;
    socket_.cancel(ignored);
}

void HttpSession::next_request() {
    if (request_.connection == ConnectionAfter::closed || shared_->ending()) return leave();
    await_request();
}

// Ends the connection once the client has seen the reply. Closing while the client still sends would reset the
// connection, and lose the reply (RFC 9112, section 9.6).
void HttpSession::leave() {
    if (shared_->ending() && buffer_.size() == 0) return close();
    phase_ = Phase::lingering;
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(shared_->options.linger_deadline, &HttpSession::close);
    linger(0);
}

void HttpSession::linger(std::size_t drained) {
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(drain_piece),
                            [self = shared_from_this(), drained](error_code error, std::size_t size) {
                                if (self->closed()) return;
                                if (error || drained + size > maximum_drained) return self->close();
                                self->linger(drained + size);
                            });
}

}  // namespace planetserve::adapters
