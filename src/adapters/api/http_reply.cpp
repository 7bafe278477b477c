// Passing a Service's reply on to the client as it comes.

#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include "adapters/api/http_session.h"

namespace planetserve::adapters {

using boost::beast::error_code;

namespace {

constexpr std::size_t maximum_pipelined = 64 * 1024;
constexpr std::size_t maximum_early_error = 64 * 1024;

bool is_events(const inference::ReplyHead& head) {
    for (const auto& [name, value] : head.headers)
        if (name == "content-type") return value.starts_with("text/event-stream");
    return false;
}

std::string hex(std::size_t number) {
    char text[20];
    std::snprintf(text, sizeof text, "%zx", number);
    return text;
}

}  // namespace

void HttpSession::on_head(const inference::ReplyHead& head) {
    head_ = head;
    schedule_flush();
}

void HttpSession::on_body(ByteView bytes) {
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
    boost::asio::post(stream_.get_executor(), [self = shared_from_this()] {
        self->flush_posted_ = false;
        if (!self->closed_) self->flush();
    });
}

void HttpSession::flush() {
    if (finished_putting_) return;
    if (error_ && !head_put_) {
        exchange_.reset();
        return refuse(api_error(*error_));
    }
    if (head_ && early_head_) {
        // The client was told 200 long ago: anything else now goes into the stream.
        if (head_->status == 200 && is_events(*head_)) {
            head_.reset();
        } else {
            if (early_error_.size() + pending_body_.size() <= maximum_early_error) early_error_ += pending_body_;
            pending_body_.clear();
            if (!over_) return;
        }
    } else if (head_) {
        bool whole = over_ && !error_;
        put_head(*head_, whole ? std::optional(pending_body_.size()) : std::nullopt);
        events_ = is_events(*head_);
        head_.reset();
    }
    if (!pending_body_.empty() && head_put_) {
        put_body(pending_body_);
        pending_body_.clear();
    }
    if (over_) {
        exchange_.reset();
        if (!early_error_.empty()) {
            put_event_error(early_error_);
        } else if (error_ && events_) {
            put_event_error(error_body(api_error(*error_), path_));
        } else if (error_) {
            return close();  // a body that ends early must not look complete
        }
        if (chunked_) out_ += "0\r\n\r\n";
        finished_putting_ = true;
    }
    write();
}

void HttpSession::put_head(const inference::ReplyHead& head, std::optional<std::size_t> content_length) {
    head_put_ = true;
    if (shared_->stopping) keep_connection_ = false;
    chunked_ = !content_length && !http_10_;
    if (!content_length && http_10_) keep_connection_ = false;
    out_ += "HTTP/1.1 " + std::to_string(head.status) + " " + std::string(reason_phrase(head.status)) + "\r\n";
    bool has_request_id = false;
    for (const auto& [name, value] : head.headers) {
        out_ += name + ": " + value + "\r\n";
        has_request_id |= name == "x-request-id";
    }
    if (!has_request_id) out_ += "x-request-id: " + request_id_ + "\r\n";
    if (is_events(head)) out_ += "cache-control: no-cache\r\n";
    if (content_length) out_ += "content-length: " + std::to_string(*content_length) + "\r\n";
    if (chunked_) out_ += "transfer-encoding: chunked\r\n";
    out_ += keep_connection_ ? "connection: keep-alive\r\n\r\n" : "connection: close\r\n\r\n";
    shared_->metrics.request(path_.substr(0, path_.find('?')), head.status);
    shared_->metrics.first_byte(shared_->clock.now() - began_);
}

void HttpSession::put_body(std::string_view bytes) {
    if (bytes.empty()) return;
    if (chunked_) out_ += hex(bytes.size()) + "\r\n";
    out_ += bytes;
    if (chunked_) out_ += "\r\n";
    out_body_bytes_ += bytes.size();
    reply_bytes_ += bytes.size();
    at_event_end_ = bytes.ends_with("\n\n") || bytes.ends_with("\r\n\r\n");
    arm_keep_alive();
}

void HttpSession::put_event_error(const std::string& error_json) {
    std::string text = at_event_end_ ? "" : "\n\n";
    put_body(text + "data: " + error_json + "\n\ndata: [DONE]\n\n");
    // No consumer waits for these.
    out_body_bytes_ = 0;
}

void HttpSession::write() {
    if (write_under_way_ || closed_) return;
    if (out_.empty()) {
        if (finished_putting_) request_done();
        return;
    }
    write_under_way_ = true;
    writing_ = std::exchange(out_, {});
    std::size_t body_bytes = std::exchange(out_body_bytes_, 0);
    stream_.expires_after(shared_->options.write_deadline);
    boost::asio::async_write(stream_, boost::asio::buffer(writing_),
                             [self = shared_from_this(), body_bytes](error_code error, std::size_t) {
                                 self->write_under_way_ = false;
                                 if (self->closed_) return;
                                 if (error) return self->close();
                                 self->stream_.expires_never();
                                 self->on_written(body_bytes);
                             });
}

void HttpSession::on_written(std::size_t body_bytes) {
    if (exchange_ && body_bytes > 0) exchange_->consumed(body_bytes);
    write();
}

void HttpSession::request_done() {
    silence_.cancel();
    if (std::exchange(counted_, false)) shared_->metrics.in_flight().Decrement();
    shared_->metrics.done(shared_->clock.now() - began_, reply_bytes_);
    if (!keep_connection_) return close();
    exchange_.reset();
    head_.reset();
    error_.reset();
    pending_body_.clear();
    early_error_.clear();
    over_ = head_put_ = events_ = early_head_ = chunked_ = finished_putting_ = streams_ = false;
    at_event_end_ = true;
    reply_bytes_ = 0;
    // The read that watches for a hang-up becomes the read of the next request.
    if (watching_) return;
    read_header();
}

void HttpSession::watch_for_hang_up() {
    if (watching_ || buffer_.size() >= maximum_pipelined) return;
    watching_ = true;
    stream_.socket().async_read_some(
        buffer_.prepare(4096), [self = shared_from_this()](error_code error, std::size_t size) {
            self->watching_ = false;
            if (self->closed_) return;
            if (error) return self->close();
            self->buffer_.commit(size);
            bool answering = self->counted_;
            if (answering) return self->watch_for_hang_up();  // the client already sends its next request
            self->read_header();
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
    if (events_ && at_event_end_ && head_put_) {
        put_body(": keep-alive\n\n");
        out_body_bytes_ = 0;
        write();
    } else {
        arm_keep_alive();
    }
}

}  // namespace planetserve::adapters
