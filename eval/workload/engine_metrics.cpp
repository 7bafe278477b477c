#include "eval/workload/engine_metrics.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <string>

namespace planetserve::eval {

namespace {

struct Sum {
    double total = 0;
    double series = 0;
};

// "name{labels} value [timestamp]". A label's value may hold anything but an unescaped quote.
std::optional<std::pair<std::string_view, double>> parse_line(std::string_view line) {
    std::size_t end = line.find_first_of("{ \t");
    if (end == line.npos || end == 0) return std::nullopt;
    std::string_view name = line.substr(0, end);
    line.remove_prefix(end);
    if (line.front() == '{') {
        bool inside = false;
        std::size_t at = 1;
        for (; at < line.size() && (inside || line[at] != '}'); ++at) {
            if (inside && line[at] == '\\')
                ++at;
            else if (line[at] == '"')
                inside = !inside;
        }
        if (at >= line.size()) return std::nullopt;
        line.remove_prefix(at + 1);
    }
    std::size_t start = line.find_first_not_of(" \t");
    if (start == line.npos) return std::nullopt;
    line.remove_prefix(start);
    if (line.starts_with('+')) line.remove_prefix(1);
    double value = 0;
    auto parsed = std::from_chars(line.data(), line.data() + line.size(), value);
    if (parsed.ec != std::errc() || !std::isfinite(value)) return std::nullopt;
    return std::make_pair(name, value);
}

}  // namespace

EngineMetrics parse_engine_metrics(std::string_view text) {
    std::map<std::string, Sum, std::less<>> sums;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (!line.starts_with("vllm:") && !line.starts_with("llamacpp:")) continue;
        auto parsed = parse_line(line);
        if (!parsed) continue;
        Sum& sum = sums[std::string(parsed->first)];
        sum.total += parsed->second;
        ++sum.series;
    }
    auto first_of = [&](std::initializer_list<std::string_view> names) -> std::optional<Sum> {
        for (auto name : names)
            if (auto found = sums.find(name); found != sums.end()) return found->second;
        return std::nullopt;
    };
    auto total = [&](std::initializer_list<std::string_view> names) -> std::optional<double> {
        auto sum = first_of(names);
        return sum ? std::optional(sum->total) : std::nullopt;
    };
    EngineMetrics metrics;
    metrics.running = total({"vllm:num_requests_running", "llamacpp:requests_processing"});
    metrics.waiting = total({"vllm:num_requests_waiting", "llamacpp:requests_deferred"});
    if (auto usage =
            first_of({"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "llamacpp:kv_cache_usage_ratio"}))
        metrics.kv_usage = usage->total / usage->series;
    // With or without the "_total" that Prometheus' clients append to counters.
    metrics.prefix_queries = total({"vllm:prefix_cache_queries_total", "vllm:prefix_cache_queries"});
    metrics.prefix_hits =
        total({"vllm:prefix_cache_hits_total", "vllm:prefix_cache_hits", "llamacpp:prompt_tokens_cached_total"});
    metrics.prompt_tokens = total({"vllm:prompt_tokens_total", "vllm:prompt_tokens"});
    metrics.generated_tokens =
        total({"vllm:generation_tokens_total", "vllm:generation_tokens", "llamacpp:tokens_predicted_total"});
    // llama-server counts the tokens it computed and the tokens it had, apart.
    if (auto computed = total({"llamacpp:prompt_tokens_total"}); computed && !metrics.prompt_tokens) {
        metrics.prompt_tokens = *computed + metrics.prefix_hits.value_or(0);
        if (metrics.prefix_hits) metrics.prefix_queries = metrics.prompt_tokens;
    }
    return metrics;
}

}  // namespace planetserve::eval
