#include "adapters/api/http_reply.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <iterator>

#include "adapters/api/api_rules.h"
#include "adapters/api/web_pages.h"
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
    // The only encoding of a body that is taken (RFC 9110, section 15.5.16).
    if (answer.status == 415) head.headers.emplace_back("accept-encoding", "identity");
    const bool asks_methods = request_.method == ClientRequest::Method::options;
    if (auto allowed = allowed_methods(request_.path); !allowed.empty() && (asks_methods || answer.status == 405)) {
        head.headers.emplace_back("allow", std::string(allowed));
        if (asks_methods) std::ranges::copy(preflight_headers(request_, allowed), std::back_inserter(head.headers));
    }
    put_head(head, answer.body.size());
    if (request_.method != ClientRequest::Method::head) put_body(answer.body);
    writer_.finish();
    connection_.on_output();
}

// The overlay's error, with what is wrong with the node where that may be why.
ApiError HttpReply::told(const Error& error) const {
    ApiError told = api_error(error);
    const bool may_be_ours = told.status == 503 || told.status == 504;
    const std::string problem = may_be_ours ? shared_.state.problem() : std::string();
    if (!problem.empty() && told.message.find(problem) == std::string::npos) told.message += "; " + problem;
    return told;
}

void HttpReply::refuse(const ApiError& error) { answer({error.status, error_body(error, request_.path)}); }

bool HttpReply::pass_on(ServiceCall call) {
    REQUIRES(delivery_ == Delivery::none);
    form_ = call.form;
    model_ = call.request.model;
    if (request_.path == "/v1/responses") responses_.emplace();
    const bool several = form_ == ServiceCall::Form::stream && call.answers == ServiceCall::Answers::several;
    if (several && (request_.path == "/v1/chat/completions" || request_.path == "/v1/completions"))
        one_usage_.emplace();
    // Before the call: the reply may end or fail within it.
    delivery_ = Delivery::under_way;
    auto started = shared_.service.start(std::move(call.request), *this);
    if (!started) {
        delivery_ = Delivery::none;
        refuse(told(started.error()));
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
        return refuse(told(error_));
    }
    if (head_ && head_from_ == HeadFrom::silence) {
        // The client was told 200 and events long ago: anything else becomes an event in the stream.
        if (head_->status != 200 || !inference::is_event_stream(*head_)) return flush_unstreamed();
        head_.reset();
    }
    if (head_) flush_head();
    if (!pending_body_.empty() && head_from_ != HeadFrom::nobody) put_delivered();
    if (delivered_all()) return finish_delivery();
    connection_.on_output();
}

void HttpReply::flush_head() {
    // Where the node reads a stream on its way, the client may get other bytes than came.
    const bool as_it_comes = !((responses_ || one_usage_) && inference::is_event_stream(*head_));
    bool whole = delivery_ == Delivery::ended && as_it_comes;
    put_head(*head_, whole ? std::optional(pending_body_.size()) : std::nullopt);
    head_from_ = HeadFrom::reply;
    status_ = head_->status;
    head_.reset();
}

void HttpReply::put_delivered() {
    const bool events = writer_.is_event_stream();
    if (events && responses_) responses_->see(pending_body_);
    put_body(events && one_usage_ ? one_usage_->take(pending_body_) : pending_body_);
    put_ += pending_body_.size();
    pending_body_.clear();
}

void HttpReply::flush_unstreamed() {
    if (unstreamed_body_.size() < maximum_unstreamed)
        unstreamed_body_.append(pending_body_, 0, maximum_unstreamed - unstreamed_body_.size());
    on_sent(std::exchange(pending_body_, {}).size());
    if (!delivered_all()) return;
    exchange_.reset();
    bool failed = delivery_ == Delivery::failed;
    put_error_events(failed ? told(error_) : unstreamed_error(head_->status, unstreamed_body_));
    head_.reset();
    writer_.finish();
    connection_.on_output();
}

// All that the Service delivers was put.
void HttpReply::finish_delivery() {
    exchange_.reset();
    if (one_usage_ && head_from_ != HeadFrom::nobody && writer_.is_event_stream()) put_body(one_usage_->end());
    if (delivery_ == Delivery::failed) {
        if (!writer_.is_event_stream()) return connection_.break_off(writer_.framing());
        put_error_events(told(error_));
    } else if (responses_ && writer_.is_event_stream() && !responses_->ended()) {
        put_error_events(api_error({ErrorCode::internal, "the model node ended the stream without its last event"}));
    } else if (head_from_ != HeadFrom::nobody && status_ == 200) {
        shared_.state.on_answered(model_);
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
    inference::ReplyHead told = head;
    std::ranges::copy(page_headers(request_), std::back_inserter(told.headers));
    writer_.put_head({std::move(told), std::move(id), framing, length.value_or(0), after_});
    shared_.metrics.request(request_.path, head.status);
    shared_.metrics.first_byte(shared_.clock.now() - request_.began);
}

void HttpReply::put_error_events(const ApiError& error) {
    writer_.put_last_events(responses_ ? responses_->failed(error, request_.id) : error_events(error, request_.path));
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
        status_ = 200;
    }
    if (writer_.is_event_stream() && writer_.at_event_end() && !connection_.is_sending()) {
        put_body(keep_alive_comment);
        connection_.on_output();
    } else {
        arm_keep_alive();
    }
}

}  // namespace planetserve::adapters
