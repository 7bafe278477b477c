#include "eval/workload/monitor.h"

#include <boost/asio/steady_timer.hpp>
#include <stdexcept>

#include "adapters/llama/http_engine.h"
#include "eval/workload/simple_get.h"
#include "inference/small_call.h"

namespace planetserve::eval {

namespace {

constexpr std::size_t sample_limit = 100'000;

}  // namespace

struct Monitor::State : std::enable_shared_from_this<Monitor::State> {
    struct Server {
        std::unique_ptr<adapters::HttpEngine> engine;
        std::unique_ptr<inference::SmallCall> get = std::make_unique<inference::SmallCall>();
        bool asked = false;
    };

    State(boost::asio::io_context& context, Duration every) : timer(context), interval(every), start(clock.now()) {}

    void tick() {
        for (std::size_t i = 0; i < servers.size(); ++i)
            if (!servers[i].asked) ask(i);
        timer.expires_after(interval);
        timer.async_wait([weak = weak_from_this()](boost::system::error_code error) {
            if (auto self = weak.lock(); self && !error) self->tick();
        });
    }

    void ask(std::size_t i) {
        servers[i].asked = true;
        auto begun = servers[i].get->start(*servers[i].engine, inference::get_of("/metrics"), small_body_limit,
                                           [this, i](const Result<std::string>& body) { note(i, body); });
        if (!begun) note(i, std::unexpected(begun.error()));
    }

    void note(std::size_t i, const Result<std::string>& body) {
        servers[i].asked = false;
        if (samples.size() >= sample_limit) return;
        MetricsSample sample{to_seconds(clock.now() - start), i, body.has_value(), {}};
        if (body) sample.metrics = parse_engine_metrics(*body);
        samples.push_back(sample);
    }

    SystemClock clock;
    boost::asio::steady_timer timer;
    const Duration interval;
    const Time start;
    std::vector<Server> servers;
    std::vector<MetricsSample> samples;
};

Result<std::unique_ptr<Monitor>> Monitor::start(boost::asio::io_context& context, const std::vector<std::string>& urls,
                                                Duration interval, const std::string& api_key) {
    auto state = std::make_shared<State>(context, interval);
    for (std::string url : urls) {
        if (url.ends_with("/metrics")) url.resize(url.size() - 8);
        auto target = adapters::HttpTarget::parse(url);
        if (!target) return std::unexpected(target.error());
        adapters::HttpEngineOptions options;
        options.target = *target;
        if (!api_key.empty()) options.bearer_key = api_key;
        options.connect_deadline = options.head_deadline = options.body_deadline = 10s;
        try {
            state->servers.emplace_back().engine = std::make_unique<adapters::HttpEngine>(context, options);
        } catch (const std::invalid_argument& error) {
            return fail(ErrorCode::invalid_argument, error.what());
        }
    }
    state->tick();
    return std::unique_ptr<Monitor>(new Monitor(std::move(state)));
}

Monitor::Monitor(std::shared_ptr<State> state) : state_(std::move(state)) {}

Monitor::~Monitor() {
    state_->timer.cancel();
    for (auto& server : state_->servers) server.get->cancel();
}

const std::vector<MetricsSample>& Monitor::samples() const { return state_->samples; }

}  // namespace planetserve::eval
