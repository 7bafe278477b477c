#include "adapters/api/http_reply.h"

#include <boost/asio/post.hpp>

#include "adapters/api/api_rules.h"
#include "base/requires.h"
#include "inference/event_stream.h"

namespace planetserve::adapters {

using boost::system::error_code;

namespace {

// As much of an error's body is read for its message.
constexpr std::size_t maximum_unstreamed = 64 * 1024;

constexpr std::string_view keep_alive_comment = ": keep-alive\n\n";

}  // namespace

HttpReply::HttpReply(const ClientRequest& request, ApiShared& shared, ReplyConnection& connection,
                     const boost::asio::any_io_executor& executor)
    : request_(request), shared_(shared), connection_(connection), silence_(executor), after_(request.connection) {}

void HttpReply::answer(const OwnAnswer& answer) {
    inference::ReplyHead head{answer.status, {{"content-type", answer.content_type}}};
    if (answer.status == 429 || answer.status == 503) head.headers.emplace_back("retry-after", "1");
    if (answer.status == 401) head.headers.emplace_back("www-authenticate", "Bearer");
    bool names_methods = answer.status == 405 || request_.method == ClientRequest::Method::options;
    if (auto allowed = allowed_methods(request_.path); names_methods && !allowed.empty())
        head.headers.emplace_back("allow", std::string(allowed));
    put_head(head, answer.body.size());
    if (request_.method != ClientRequest::Method::head) put_body(answer.body);
    writer_.finish();
    connection_.on_output();
}

void HttpReply::refuse(const ApiError& error) { answer({error.status, error_body(error, request_.path)}); }

bool HttpReply::pass_on(ServiceCall call) {
    REQUIRES(delivery_ == Delivery::none);
    form_ = call.form;
    // Before the call: the reply may end or fail within it.
    delivery_ = Delivery::under_way;
    auto started = shared_.service.start(std::move(call.request), *this);
    if (!started) {
        delivery_ = Delivery::none;
        refuse(api_error(started.error()));
        return false;
    }
    exchange_ = std::move(*started);
    if (delivery_ == Delivery::under_way) arm_keep_alive();
    return true;
}

HttpReply::Piece HttpReply::take() { return {writer_.take(), std::exchange(put_, 0)}; }

void HttpReply::on_sent(std::size_t delivered) {
    unconsumed_ -= delivered;
    if (exchange_ && delivered > 0) exchange_->consumed(delivered);
}

void HttpReply::cancel() {
    exchange_.reset();
    silence_.cancel();
    delivery_ = Delivery::cancelled;
}

void HttpReply::on_head(const inference::ReplyHead& head) {
    head_ = passed_head(head);
    schedule_flush();
}

void HttpReply::on_body(ByteView bytes) {
    unconsumed_ += bytes.size();
    if (unconsumed_ > inference::reply_window) {
        exchange_.reset();
        return on_error({ErrorCode::malformed, "the model node sent more than was asked for"});
    }
    pending_body_.append(as_text(bytes));
    schedule_flush();
}

void HttpReply::on_end() {
    delivery_ = Delivery::ended;
    schedule_flush();
}

void HttpReply::on_error(const Error& error) {
    error_ = error;
    delivery_ = Delivery::failed;
    schedule_flush();
}

// The output of one turn of the event loop goes out in one piece.
void HttpReply::schedule_flush() {
    if (std::exchange(flush_posted_, true)) return;
    boost::asio::post(silence_.get_executor(), [this, owner = lifetime_.watch()] {
        if (owner.gone()) return;
        flush_posted_ = false;
        flush();
    });
}

void HttpReply::flush() {
    if (finished() || delivery_ == Delivery::cancelled) return;
    if (head_ && !is_passed_status(head_->status)) {
        error_ = Error{ErrorCode::internal, "the model node answered with status " + std::to_string(head_->status)};
        delivery_ = Delivery::failed;
        head_.reset();
    }
    if (delivery_ == Delivery::failed && head_from_ == HeadFrom::nobody) {
        exchange_.reset();
        return refuse(api_error(error_));
    }
    if (head_ && head_from_ == HeadFrom::silence) {
        // The client was told 200 and events long ago: anything else becomes an event in the stream.
        if (head_->status != 200 || !inference::is_event_stream(*head_)) return flush_unstreamed();
        head_.reset();
    }
    if (head_) flush_head();
    if (!pending_body_.empty() && head_from_ != HeadFrom::nobody) {
        put_body(pending_body_);
        put_ += pending_body_.size();
        pending_body_.clear();
    }
    if (delivered_all()) return finish_delivery();
    connection_.on_output();
}

void HttpReply::flush_head() {
    bool whole = delivery_ == Delivery::ended;
    put_head(*head_, whole ? std::optional(pending_body_.size()) : std::nullopt);
    head_from_ = HeadFrom::reply;
    head_.reset();
}

void HttpReply::flush_unstreamed() {
    if (unstreamed_body_.size() < maximum_unstreamed)
        unstreamed_body_.append(pending_body_, 0, maximum_unstreamed - unstreamed_body_.size());
    on_sent(std::exchange(pending_body_, {}).size());
    if (!delivered_all()) return;
    exchange_.reset();
    bool failed = delivery_ == Delivery::failed;
    writer_.put_error_events(failed ? api_error(error_) : unstreamed_error(head_->status, unstreamed_body_),
                             request_.path);
    head_.reset();
    writer_.finish();
    connection_.on_output();
}

// All that the Service delivers was put.
void HttpReply::finish_delivery() {
    exchange_.reset();
    if (delivery_ == Delivery::failed) {
        if (!writer_.is_event_stream()) return connection_.break_off(writer_.framing());
        writer_.put_error_events(api_error(error_), request_.path);
    }
    if (head_from_ == HeadFrom::nobody)
        return refuse(api_error({ErrorCode::internal, "the model node gave no answer"}));
    writer_.finish();
    connection_.on_output();
}

void HttpReply::put_head(const inference::ReplyHead& head, std::optional<std::size_t> length) {
    using Framing = ResponseWriter::Framing;
    bool knows_chunks = request_.version != ClientRequest::Version::http_10;
    Framing framing = length ? Framing::length : knows_chunks ? Framing::chunks : Framing::close;
    if (shared_.ending() || framing == Framing::close) after_ = ConnectionAfter::closed;
    std::string_view of_reply =
        request_.id_from == ClientRequest::IdFrom::node ? header_of(head, "x-request-id") : std::string_view();
    std::string id = of_reply.empty() ? request_.id : std::string(of_reply);
    writer_.put_head({head, std::move(id), framing, length.value_or(0), after_});
    shared_.metrics.request(request_.path, head.status);
    shared_.metrics.first_byte(shared_.clock.now() - request_.began);
}

void HttpReply::put_body(std::string_view bytes) {
    writer_.put_body(bytes);
    if (!bytes.empty()) arm_keep_alive();
}

void HttpReply::arm_keep_alive() {
    bool streams = form_ == ServiceCall::Form::stream || writer_.is_event_stream();
    if (!exchange_ || !streams) return;
    silence_.expires_after(shared_.options.keep_alive);
    silence_.async_wait([this, owner = lifetime_.watch()](error_code cancelled) {
        if (!cancelled && !owner.gone()) on_silence();
    });
}

void HttpReply::on_silence() {
    if (!exchange_ || delivered_all()) return;
    if (head_from_ == HeadFrom::nobody && form_ == ServiceCall::Form::stream) {
        put_head({200, {{"content-type", "text/event-stream"}}}, std::nullopt);
        head_from_ = HeadFrom::silence;
    }
    if (writer_.is_event_stream() && writer_.at_event_end() && !connection_.is_sending()) {
        put_body(keep_alive_comment);
        connection_.on_output();
    } else {
        arm_keep_alive();
    }
}

}  // namespace planetserve::adapters
