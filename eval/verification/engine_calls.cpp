#include "eval/verification/engine_calls.h"

#include <chrono>
#include <optional>

namespace planetserve::eval {

namespace {

constexpr std::size_t reply_limit = 16 << 20;

class Call final : public inference::ReplySink {
public:
    void start(inference::Service& service, const std::string& path, const std::string& body) {
        inference::Request request;
        request.method = "POST";
        request.path = path;
        request.content_type = "application/json";
        request.body = to_bytes(body);
        auto started = service.start(std::move(request), *this);
        if (!started) return end(std::unexpected(started.error()));
        exchange_ = std::move(*started);
    }

    std::optional<Result<std::string>> result;

private:
    void on_head(const inference::ReplyHead& head) override { status_ = head.status; }
    void on_body(ByteView bytes) override {
        body_ += as_text(bytes);
        if (body_.size() > reply_limit) return end(fail(ErrorCode::exhausted, "the engine's reply is too large"));
        exchange_->consumed(bytes.size());
    }
    void on_end() override {
        if (status_ == 200) return end(std::move(body_));
        end(fail(ErrorCode::unavailable,
                 "the engine answers with status " + std::to_string(status_) + ": " + body_.substr(0, 300)));
    }
    void on_error(const Error& error) override { end(std::unexpected(error)); }
    void end(Result<std::string> how) {
        exchange_.reset();
        result = std::move(how);
    }

    std::unique_ptr<inference::Exchange> exchange_;
    std::string body_;
    unsigned status_ = 0;
};

adapters::HttpEngineOptions options_for(const std::string& base) {
    adapters::HttpEngineOptions options;
    options.target = adapters::HttpTarget::parse(base).value();
    return options;
}

}  // namespace

EngineCalls::EngineCalls(boost::asio::io_context& context, const std::string& base)
    : context_(context), engine_(context, options_for(base)) {}

Result<std::vector<std::string>> EngineCalls::post(const std::string& path, const std::vector<std::string>& bodies,
                                                   std::size_t at_once, Duration deadline,
                                                   const std::function<void()>& done) {
    struct Running {
        std::size_t index;
        std::unique_ptr<Call> call;
    };
    std::vector<std::string> replies(bodies.size());
    std::vector<Running> running;
    SystemClock clock;
    const Time end = clock.now() + deadline;
    for (std::size_t next = 0; next < bodies.size() || !running.empty();) {
        while (next < bodies.size() && running.size() < at_once) {
            running.push_back({next, std::make_unique<Call>()});
            running.back().call->start(engine_, path, bodies[next++]);
        }
        for (std::size_t i = 0; i < running.size();) {
            auto& result = running[i].call->result;
            if (!result) {
                ++i;
                continue;
            }
            if (!*result) return std::unexpected(result->error());
            replies[running[i].index] = std::move(**result);
            running.erase(running.begin() + static_cast<std::ptrdiff_t>(i));
            if (done) done();
        }
        if (running.empty()) continue;
        if (clock.now() > end) return fail(ErrorCode::timed_out, "the engine does not answer in time");
        if (context_.stopped()) context_.restart();
        context_.run_one_for(std::chrono::milliseconds(100));
    }
    return replies;
}

}  // namespace planetserve::eval
