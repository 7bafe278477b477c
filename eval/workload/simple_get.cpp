#include "eval/workload/simple_get.h"

#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "adapters/llama/http_engine.h"

namespace planetserve::eval {

namespace {

constexpr std::size_t body_limit = 4U << 20;

}  // namespace

void SimpleGet::start(inference::Service& service, const std::string& path, Done done) {
    cancel();
    done_ = std::move(done);
    body_.clear();
    inference::Request request;
    request.method = "GET";
    request.path = path;
    auto started = service.start(std::move(request), *this);
    if (!started) return end(std::unexpected(started.error()));
    exchange_ = std::move(*started);
}

void SimpleGet::cancel() {
    exchange_.reset();
    done_ = nullptr;
}

void SimpleGet::on_head(const inference::ReplyHead& head) {
    if (head.status != 200) end(fail(ErrorCode::unavailable, "HTTP status " + std::to_string(head.status)));
}

void SimpleGet::on_body(ByteView bytes) {
    body_ += as_text(bytes);
    if (body_.size() > body_limit) return end(fail(ErrorCode::malformed, "the reply is too large"));
    exchange_->consumed(bytes.size());
}

void SimpleGet::on_end() { end(std::exchange(body_, {})); }
void SimpleGet::on_error(const Error& error) { end(std::unexpected(error)); }

void SimpleGet::end(Result<std::string> result) {
    exchange_.reset();
    if (auto done = std::exchange(done_, nullptr)) done(std::move(result));
}

Result<std::string> fetch(boost::asio::io_context& context, const std::string& base, const std::string& path,
                          Duration deadline, const std::string& api_key) {
    auto target = adapters::HttpTarget::parse(base);
    if (!target) return std::unexpected(target.error());
    adapters::HttpEngineOptions options;
    options.target = *target;
    if (!api_key.empty()) options.bearer_key = api_key;
    options.connect_deadline = options.head_deadline = options.body_deadline = deadline;
    adapters::HttpEngine engine(context, options);
    std::optional<Result<std::string>> result;
    boost::asio::steady_timer timer(context, deadline);
    timer.async_wait([&result](boost::system::error_code error) {
        if (!error && !result) result = fail(ErrorCode::timed_out, "no whole reply in time");
    });
    SimpleGet get;
    get.start(engine, path, [&](Result<std::string> told) {
        if (!result) result = std::move(told);
    });
    while (!result) {
        if (context.stopped()) context.restart();
        context.run_one();
    }
    get.cancel();
    timer.cancel();
    // The handlers of this call look at its variables.
    context.restart();
    context.poll();
    return *result;
}

}  // namespace planetserve::eval
