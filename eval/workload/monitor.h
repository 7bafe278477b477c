// Asks servers for their metrics every second while a driver runs.
#pragma once

#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "eval/workload/engine_metrics.h"

namespace planetserve::eval {

struct MetricsSample {
    double at = 0;  // seconds from the monitor's start
    std::size_t server = 0;
    bool answered = false;
    EngineMetrics metrics;
};

// Works while somebody runs the context, on that thread; asks no more once destroyed. Memory is bounded: from 100,000
// samples on, none is kept.
class Monitor {
public:
    // URLs of metrics ("http://127.0.0.1:8000/metrics") or of the servers ("http://127.0.0.1:8000/v1").
    static Result<std::unique_ptr<Monitor>> start(boost::asio::io_context& context,
                                                  const std::vector<std::string>& urls, Duration interval = 1s,
                                                  const std::string& api_key = {});
    ~Monitor();

    const std::vector<MetricsSample>& samples() const;

private:
    struct State;
    explicit Monitor(std::shared_ptr<State> state);
    std::shared_ptr<State> state_;
};

}  // namespace planetserve::eval
