// What an engine says of itself at /metrics, in Prometheus' text format: vLLM's names and llama-server's.
#pragma once

#include <optional>
#include <string_view>

namespace planetserve::eval {

// What a server does not tell is absent. Counters of several series (engines, labels) are summed, the share of the KV
// cache is their mean.
struct EngineMetrics {
    std::optional<double> running;         // requests
    std::optional<double> waiting;         // requests
    std::optional<double> kv_usage;        // 0 to 1
    std::optional<double> prefix_queries;  // prompt tokens looked up, since the start
    std::optional<double> prefix_hits;     // of these, found in the cache
    std::optional<double> prompt_tokens;   // since the start
    std::optional<double> generated_tokens;
};

// Lines that are not understood are passed over.
EngineMetrics parse_engine_metrics(std::string_view text);

}  // namespace planetserve::eval
