#include "inference/small_call.h"

#include <utility>

namespace planetserve::inference {

Request get_of(std::string path) {
    Request request;
    request.method = "GET";
    request.path = std::move(path);
    return request;
}

Request post_of(std::string path, std::string_view body) {
    Request request;
    request.method = "POST";
    request.path = std::move(path);
    request.content_type = "application/json";
    request.body = to_bytes(body);
    return request;
}

Status SmallCall::start(Service& service, Request request, std::size_t most, Done done) {
    cancel();
    body_.clear();
    most_ = most;
    done_ = std::move(done);
    auto started = service.start(std::move(request), *this);
    if (!started) {
        done_ = nullptr;
        return std::unexpected(started.error());
    }
    exchange_ = std::move(*started);
    return {};
}

void SmallCall::cancel() {
    exchange_.reset();
    done_ = nullptr;
}

void SmallCall::on_head(const ReplyHead& head) {
    if (head.status != 200) end(fail(ErrorCode::unavailable, "HTTP status " + std::to_string(head.status)));
}

void SmallCall::on_body(ByteView bytes) {
    if (bytes.size() > most_ - body_.size()) return end(fail(ErrorCode::malformed, "the reply is too large"));
    body_ += as_text(bytes);
    exchange_->consumed(bytes.size());
}

void SmallCall::on_end() { end(std::exchange(body_, {})); }
void SmallCall::on_error(const Error& error) { end(std::unexpected(error)); }

void SmallCall::end(Result<std::string> result) {
    exchange_.reset();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

}  // namespace planetserve::inference
