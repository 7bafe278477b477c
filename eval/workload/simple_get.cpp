#include "eval/workload/simple_get.h"

#include <boost/asio/steady_timer.hpp>
#include <optional>

#include "adapters/llama/http_engine.h"
#include "inference/small_call.h"

namespace planetserve::eval {

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
    inference::SmallCall get;
    auto started = get.start(engine, inference::get_of(path), small_body_limit, [&](Result<std::string> told) {
        if (!result) result = std::move(told);
    });
    if (!started) result = std::unexpected(started.error());
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
