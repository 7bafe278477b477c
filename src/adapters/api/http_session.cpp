// Reading requests, each part within its deadline, and ending connections so that the client sees the last answer.

#include "adapters/api/http_session.h"

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/string.hpp>
#include <boost/beast/http/read.hpp>

namespace planetserve::adapters {

namespace http = boost::beast::http;
using boost::asio::ip::tcp;
using boost::beast::error_code;

namespace {

constexpr std::size_t maximum_header = 32 * 1024;
// What is read and thrown away of a body that was refused, so that the client gets to see why.
constexpr std::size_t maximum_drained = 64 << 20;

}  // namespace

void ApiShared::close_all() {
    std::set<HttpSession*> open = sessions;
    for (HttpSession* session : open) session->shared_from_this()->close();
}

void ApiShared::tell_if_empty(const boost::asio::any_io_executor& executor) {
    if (!sessions.empty() || drained.empty()) return;
    boost::asio::post(executor, [self = shared_from_this()] {
        for (auto& told : std::exchange(self->drained, {})) told();
    });
}

HttpSession::HttpSession(tcp::socket socket, std::shared_ptr<ApiShared> shared)
    : socket_(std::move(socket)),
      shared_(std::move(shared)),
      deadline_(socket_.get_executor()),
      silence_(socket_.get_executor()) {
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    shared_->sessions.insert(this);
}

HttpSession::~HttpSession() {
    exchange_.reset();
    shared_->sessions.erase(this);
}

void HttpSession::close() {
    if (std::exchange(closed_, true)) return;
    exchange_.reset();
    silence_.cancel();
    clear_deadline();
    if (std::exchange(counted_, false)) shared_->metrics.in_flight().Decrement();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_both, ignored);
    socket_.close(ignored);
    shared_->sessions.erase(this);
    shared_->tell_if_empty(socket_.get_executor());
}

void HttpSession::close_if_idle() {
    if (idle_) close();
}

void HttpSession::set_deadline(Duration after, void (HttpSession::*passed)()) {
    // A handler that is already on its way when the timer is set anew must find that it is stale.
    std::uint64_t round = ++deadline_round_;
    timed_out_ = false;
    deadline_.expires_after(after);
    deadline_.async_wait([weak = weak_from_this(), round, passed](error_code error) {
        auto self = weak.lock();
        if (!error && self && !self->closed_ && self->deadline_round_ == round) ((*self).*passed)();
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
    idle_ = true;
    set_deadline(shared_->options.idle_deadline, &HttpSession::close);
    socket_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t size) {
        if (self->closed_) return;
        if (error) return self->close();
        self->idle_ = false;
        self->buffer_.commit(size);
        self->read_header();
    });
}

void HttpSession::read_header() {
    parser_.emplace();
    parser_->header_limit(maximum_header);
    // The limit is checked in on_header, where the client can be told.
    parser_->body_limit(boost::none);
    path_.clear();
    query_.clear();
    request_id_ = "req_" + shared_->random.id<FixedBytes<struct RequestIdTag, 12>>().hex();
    own_request_id_ = true;
    head_only_ = http_10_ = false;
    began_ = shared_->clock.now();
    set_deadline(shared_->options.header_deadline, &HttpSession::stop_reading);
    http::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->closed_) return;
        if (!error) return self->on_header();
        if (self->timed_out_) return self->refuse_early({408, "the request's header did not come in time"});
        if (error == http::error::header_limit) return self->refuse_early({431, "the request's header is over 32 KiB"});
        bool malformed = error.category() == http::make_error_code(http::error::bad_version).category() &&
                         error != http::error::end_of_stream && error != http::error::partial_message;
        if (malformed) return self->refuse_early({400, "not an HTTP request: " + error.message()});
        self->close();
    });
}

void HttpSession::on_header() {
    const auto& request = parser_->get();
    keep_connection_ = request.keep_alive();
    http_10_ = request.version() < 11;
    head_only_ = request.method() == http::verb::head;
    if (auto given = request["x-request-id"]; is_sane_request_id(given)) {
        request_id_ = std::string(given);
        own_request_id_ = false;
    }
    if (auto wrong = check_header()) {
        bool has_body = parser_->chunked() || parser_->content_length().value_or(0) > 0;
        return has_body ? refuse_early(*wrong) : refuse(*wrong);
    }
    parser_->body_limit(shared_->options.maximum_body);
    set_deadline(shared_->options.body_deadline, &HttpSession::stop_reading);
    if (!boost::beast::iequals(request[http::field::expect], "100-continue")) return read_body();
    static constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
    boost::asio::async_write(socket_, boost::asio::buffer(go_on),
                             [self = shared_from_this()](error_code error, std::size_t) {
                                 if (self->closed_) return;
                                 if (error) return self->close();
                                 self->read_body();
                             });
}

void HttpSession::read_body() {
    http::async_read(socket_, buffer_, *parser_, [self = shared_from_this()](error_code error, std::size_t) {
        if (self->closed_) return;
        if (!error) return self->on_request();
        if (self->timed_out_) return self->refuse_early({408, "the request's body did not come in time"});
        if (error == http::error::body_limit)
            return self->refuse_early(
                {413, "the request's body is over " + std::to_string(self->shared_->options.maximum_body) + " bytes"});
        bool malformed = error == http::error::bad_chunk || error == http::error::bad_chunk_extension;
        if (malformed) return self->refuse_early({400, "the request's body is malformed: " + error.message()});
        self->close();
    });
}

void HttpSession::on_request() {
    clear_deadline();
    answering_ = true;
    began_ = shared_->clock.now();
    shared_->metrics.in_flight().Increment();
    counted_ = true;
    route();
}

void HttpSession::next_request() {
    if (!keep_connection_ || shared_->draining) return leave();
    await_request();
}

// Ends the connection once the client has seen what was written: to close while it still sends would reset the
// connection, and lose the answer (RFC 9112, section 9.6).
void HttpSession::leave() {
    if (shared_->draining && buffer_.size() == 0) return close();
    error_code ignored;
    socket_.shutdown(tcp::socket::shutdown_send, ignored);
    set_deadline(shared_->options.linger_deadline, &HttpSession::close);
    linger(0);
}

void HttpSession::linger(std::size_t drained) {
    buffer_.clear();
    socket_.async_read_some(buffer_.prepare(16 * 1024),
                            [self = shared_from_this(), drained](error_code error, std::size_t size) {
                                if (self->closed_) return;
                                if (error || drained + size > maximum_drained) return self->close();
                                self->linger(drained + size);
                            });
}

}  // namespace planetserve::adapters
