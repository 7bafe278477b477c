#include "eval/wide_area/first_token.h"

#include <boost/asio/steady_timer.hpp>
#include <boost/json.hpp>

#include "adapters/llama/http_engine.h"
#include "base/random.h"
#include "eval/workload/answer_stream.h"

namespace planetserve::eval {

namespace json = boost::json;

namespace {

constexpr Duration deadline = 30s;
constexpr std::size_t words = 4;

std::string body_of(const std::string& model, std::uint64_t prompt) {
    SeededRandom random(prompt);
    std::string text = "Number " + std::to_string(100000 + prompt) + ":";
    for (std::size_t i = 0; i < words; ++i) text += " " + std::to_string(1000 + random.below(9000));
    return json::serialize(json::object{
        {"model", model},
        {"messages", json::array{json::object{{"role", "user"}, {"content", text}}}},
        {"max_tokens", 4},
        {"temperature", 0},
        {"seed", 1},
        {"stream", true},
        {"ignore_eos", true},
        {"cache_prompt", false},
    });
}

class Asked final : public inference::ReplySink {
public:
    void on_head(const inference::ReplyHead& head) override {
        if (head.status != 200) error = Error{ErrorCode::unavailable, "HTTP status " + std::to_string(head.status)};
    }
    void on_body(ByteView bytes) override {
        exchange->consumed(bytes.size());
        if (error) return;
        if (Status fed = answer.feed(bytes, clock.now()); !fed) error = fed.error();
    }
    void on_end() override { over = true; }
    void on_error(const Error& told) override {
        error = told;
        over = true;
    }

    SystemClock clock;
    AnswerStream answer;
    std::optional<Error> error;
    bool over = false;
    std::unique_ptr<inference::Exchange> exchange;
};

}  // namespace

Result<Duration> first_token(boost::asio::io_context& context, const std::string& base, const std::string& model,
                             std::uint64_t prompt) {
    auto target = adapters::HttpTarget::parse(base);
    if (!target) return std::unexpected(target.error());
    adapters::HttpEngineOptions options;
    options.target = *target;
    options.connect_deadline = options.head_deadline = options.body_deadline = deadline;
    adapters::HttpEngine engine(context, options);
    Asked asked;
    boost::asio::steady_timer timer(context, deadline);
    timer.async_wait([&asked](boost::system::error_code error) {
        if (error || asked.over) return;
        asked.error = Error{ErrorCode::timed_out, "no whole answer in time"};
        asked.over = true;
    });
    inference::Request request;
    request.method = "POST";
    request.path = "/v1/chat/completions";
    request.content_type = "application/json";
    request.body = to_bytes(body_of(model, prompt));
    Time sent = asked.clock.now();
    auto started = engine.start(std::move(request), asked);
    if (!started) return std::unexpected(started.error());
    asked.exchange = std::move(*started);
    while (!asked.over) {
        if (context.stopped()) context.restart();
        context.run_one();
    }
    asked.exchange.reset();
    timer.cancel();
    // The handlers of this call look at its variables.
    context.restart();
    context.poll();
    if (asked.error) return std::unexpected(*asked.error);
    if (!asked.answer.first_token()) return fail(ErrorCode::malformed, "an answer without a token");
    return *asked.answer.first_token() - sent;
}

}  // namespace planetserve::eval
