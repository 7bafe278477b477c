// Passing a Service's reply on to the client as it comes.

#include <algorithm>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "adapters/api/http_session.h"
#include "inference/event_stream.h"

namespace planetserve::adapters {

using boost::beast::error_code;

namespace {

constexpr std::size_t maximum_pipelined = 64 * 1024;
constexpr std::size_t maximum_early_error = 64 * 1024;

std::string hex(std::size_t number) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", number);
    return text;
}

}  // namespace

void HttpSession::on_head(const inference::ReplyHead& head) {
    head_ = passed_head(head);
    schedule_flush();
}

void HttpSession::on_body(ByteView bytes) {
    unconsumed_ += bytes.size();
    if (unconsumed_ > inference::reply_window) {
        exchange_.reset();
        return on_error({ErrorCode::malformed, "the model node sent more than was asked for"});
    }
    pending_body_.append(as_text(bytes));
    schedule_flush();
}

void HttpSession::on_end() {
    over_ = true;
    schedule_flush();
}

void HttpSession::on_error(const Error& error) {
    error_ = error;
    over_ = true;
    schedule_flush();
}

// What comes in one turn of the event loop goes out in one piece.
void HttpSession::schedule_flush() {
    if (std::exchange(flush_posted_, true)) return;
    boost::asio::post(socket_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        if (!self->closed_) self->flush();
    });
}

void HttpSession::flush() {
    if (finished_putting_ || closed_) return;
    if (head_ && !is_passed_status(head_->status)) {
        error_ = Error{ErrorCode::internal, "the model node answered with status " + std::to_string(head_->status)};
        over_ = true;
        head_.reset();
    }
    if (error_ && !head_put_) {
        exchange_.reset();
        return refuse(api_error(*error_));
    }
    // The client was told 200 and events long ago: anything else becomes an event in the stream.
    if (head_ && early_head_) {
        if (head_->status != 200 || !inference::is_event_stream(*head_)) return flush_unstreamed();
        head_.reset();
    }
    if (head_) {
        bool whole = over_ && !error_;
        put_head(*head_, whole ? std::optional(pending_body_.size()) : std::nullopt);
        events_ = inference::is_event_stream(*head_);
        head_.reset();
    }
    if (!pending_body_.empty() && head_put_) {
        put_body(pending_body_);
        out_reply_bytes_ += pending_body_.size();
        pending_body_.clear();
    }
    if (over_) {
        exchange_.reset();
        if (error_ && !events_) return break_off();
        if (error_) put_error_events(api_error(*error_));
        if (!head_put_) return refuse(api_error({ErrorCode::internal, "the model node gave no answer"}));
        if (chunked_) out_ += "0\r\n\r\n";
        finished_putting_ = true;
    }
    write();
}

void HttpSession::flush_unstreamed() {
    if (early_error_.size() < maximum_early_error)
        early_error_.append(pending_body_, 0, maximum_early_error - early_error_.size());
    consume(std::exchange(pending_body_, {}).size());
    if (!over_) return;
    exchange_.reset();
    put_error_events(error_ ? api_error(*error_) : unstreamed_error(head_->status, early_error_));
    head_.reset();
    if (chunked_) out_ += "0\r\n\r\n";
    finished_putting_ = true;
    write();
}

void HttpSession::put_head(const inference::ReplyHead& head, std::optional<std::size_t> content_length) {
    head_put_ = true;
    if (shared_->draining) keep_connection_ = false;
    chunked_ = !content_length && !http_10_;
    if (!content_length && http_10_) keep_connection_ = false;
    out_ += "HTTP/1.1 " + std::to_string(head.status) + " " + std::string(reason_phrase(head.status)) + "\r\n";
    for (const auto& [name, value] : head.headers)
        if (name != "x-request-id") out_ += name + ": " + value + "\r\n";
    std::string_view given = own_request_id_ ? header_of(head, "x-request-id") : std::string_view();
    out_ += "x-request-id: " + (given.empty() ? request_id_ : std::string(given)) + "\r\n";
    if (inference::is_event_stream(head)) out_ += "cache-control: no-cache\r\n";
    if (content_length) out_ += "content-length: " + std::to_string(*content_length) + "\r\n";
    if (chunked_) out_ += "transfer-encoding: chunked\r\n";
    out_ += keep_connection_ ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
    shared_->metrics.request(path_, head.status);
    shared_->metrics.first_byte(shared_->clock.now() - began_);
}

void HttpSession::put_body(std::string_view bytes) {
    if (bytes.empty()) return;
    if (chunked_) out_ += hex(bytes.size()) + "\r\n";
    out_ += bytes;
    if (chunked_) out_ += "\r\n";
    reply_bytes_ += bytes.size();
    tail_ += bytes.substr(bytes.size() - std::min<std::size_t>(bytes.size(), 4));
    if (tail_.size() > 4) tail_.erase(0, tail_.size() - 4);
    arm_keep_alive();
}

bool HttpSession::at_event_end() const { return tail_.ends_with("\n\n") || tail_.ends_with("\r\n\r\n"); }

void HttpSession::put_error_events(const ApiError& error) {
    put_body((at_event_end() ? "" : "\n\n") + error_events(error, path_));
}

// What came must not look like a whole answer: it has no last chunk or, where its end would be the connection's, that
// is reset.
void HttpSession::break_off() {
    error_code ignored;
    if (!chunked_) {
        socket_.set_option(boost::asio::socket_base::linger(true, 0), ignored);
        socket_.close(ignored);
    }
    close();
}

void HttpSession::write() {
    if (write_under_way_ || closed_) return;
    if (out_.empty()) {
        if (finished_putting_) request_done();
        return;
    }
    write_under_way_ = true;
    writing_ = std::exchange(out_, {});
    set_deadline(shared_->options.write_deadline, &HttpSession::close);
    boost::asio::async_write(
        socket_, boost::asio::buffer(writing_),
        [self = shared_from_this(), delivered = std::exchange(out_reply_bytes_, 0)](error_code error, std::size_t) {
            self->write_under_way_ = false;
            if (self->closed_) return;
            if (error) return self->close();
            self->clear_deadline();
            self->on_written(delivered);
        });
}

void HttpSession::on_written(std::size_t reply_bytes) {
    consume(reply_bytes);
    write();
}

void HttpSession::consume(std::size_t reply_bytes) {
    unconsumed_ -= reply_bytes;
    if (exchange_ && reply_bytes > 0) exchange_->consumed(reply_bytes);
}

void HttpSession::request_done() {
    silence_.cancel();
    if (std::exchange(counted_, false)) shared_->metrics.in_flight().Decrement();
    shared_->metrics.done(shared_->clock.now() - began_, reply_bytes_);
    exchange_.reset();
    head_.reset();
    error_.reset();
    pending_body_.clear();
    early_error_.clear();
    over_ = head_put_ = events_ = early_head_ = chunked_ = finished_putting_ = streams_ = answering_ = false;
    tail_ = "\n\n";
    reply_bytes_ = unconsumed_ = 0;
    if (!watching_) return next_request();
    // What the read that watches for a hang-up got so far is the beginning of the next request: its handler goes on.
    error_code ignored;
    socket_.cancel(ignored);
}

void HttpSession::watch_for_hang_up() {
    if (watching_ || buffer_.size() >= maximum_pipelined) return;
    watching_ = true;
    socket_.async_read_some(buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t size) {
        self->watching_ = false;
        if (self->closed_) return;
        bool cancelled = error == boost::asio::error::operation_aborted && !self->answering_;
        if (error && !cancelled) return self->close();
        self->buffer_.commit(size);
        if (self->answering_) return self->watch_for_hang_up();
        self->next_request();
    });
}

void HttpSession::arm_keep_alive() {
    if (!exchange_ || !(streams_ || events_)) return;
    silence_.expires_after(shared_->options.keep_alive);
    silence_.async_wait([self = shared_from_this()](error_code error) {
        if (!error && !self->closed_) self->on_silence();
    });
}

void HttpSession::on_silence() {
    if (!exchange_ || over_) return;
    if (!head_put_ && streams_) {
        put_head({200, {{"content-type", "text/event-stream"}}}, std::nullopt);
        early_head_ = events_ = true;
    }
    if (events_ && at_event_end() && head_put_ && !write_under_way_) {
        put_body(": keep-alive\n\n");
        write();
    } else {
        arm_keep_alive();
    }
}

}  // namespace planetserve::adapters
