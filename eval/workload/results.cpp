#include "eval/workload/results.h"

#include <algorithm>
#include <limits>

namespace planetserve::eval {

namespace {

template <typename T>
Cell cell(const std::optional<T>& value) {
    return value ? Cell(*value) : Cell();
}

}  // namespace

RunSummary summarise(const std::vector<RequestRecord>& records, std::size_t endpoints) {
    RunSummary summary;
    summary.requests = records.size();
    std::vector<double> latency, ttft, tpot;
    std::vector<double> load(std::max<std::size_t>(1, endpoints));
    double first = std::numeric_limits<double>::infinity();
    double last = 0;
    std::uint64_t known_prompt = 0;
    std::uint64_t cached = 0;
    for (const auto& record : records) {
        first = std::min(first, record.due);
        last = std::max(last, record.due);
        if (!record.ok()) {
            ++summary.errors;
            continue;
        }
        if (record.endpoint < load.size()) ++load[record.endpoint];
        if (record.latency) {
            latency.push_back(*record.latency);
            last = std::max(last, record.due + *record.latency);
        }
        if (record.ttft) ttft.push_back(*record.ttft);
        if (record.tpot) tpot.push_back(*record.tpot);
        summary.completion_tokens += record.completion_tokens();
        if (!record.usage) continue;
        summary.prompt_tokens += record.usage->prompt_tokens;
        if (!record.usage->cached_tokens) continue;
        known_prompt += record.usage->prompt_tokens;
        cached += *record.usage->cached_tokens;
    }
    summary.latency = distribution(latency);
    summary.ttft = distribution(ttft);
    summary.tpot = distribution(tpot);
    double done = static_cast<double>(summary.requests - summary.errors);
    summary.seconds = records.empty() ? 0 : last - first;
    summary.tokens_per_second = static_cast<double>(summary.completion_tokens) / summary.seconds;
    summary.requests_per_second = done / summary.seconds;
    summary.cached_share = static_cast<double>(cached) / static_cast<double>(known_prompt);
    summary.load_max_over_mean = std::ranges::max(load) * static_cast<double>(load.size()) / done;
    return summary;
}

void add_to_summary(Report& report, const std::string& prefix, const RunSummary& summary) {
    report.summary(prefix + "requests", summary.requests);
    report.summary(prefix + "errors", summary.errors);
    auto add = [&](const std::string& name, const Distribution& values) {
        report.summary(prefix + name + "_mean_s", values.mean);
        report.summary(prefix + name + "_p50_s", values.p50);
        report.summary(prefix + name + "_p99_s", values.p99);
    };
    add("latency", summary.latency);
    add("ttft", summary.ttft);
    add("tpot", summary.tpot);
    report.summary(prefix + "tokens_per_second", summary.tokens_per_second);
    report.summary(prefix + "requests_per_second", summary.requests_per_second);
    report.summary(prefix + "prompt_tokens", summary.prompt_tokens);
    report.summary(prefix + "completion_tokens", summary.completion_tokens);
    report.summary(prefix + "cached_share", summary.cached_share);
    report.summary(prefix + "load_max_over_mean", summary.load_max_over_mean);
}

Table requests_table(const std::vector<RequestRecord>& records) {
    Table table({"index", "session", "endpoint", "attempts", "due_s", "sent_s", "ttft_s", "tpot_s", "latency_s",
                 "prompt_tokens", "cached_tokens", "completion_tokens", "status", "error"});
    for (const auto& record : records)
        table.add({record.index, record.session, record.endpoint, record.attempts, record.due, record.sent,
                   cell(record.ttft), cell(record.tpot), cell(record.latency),
                   record.usage ? Cell(record.usage->prompt_tokens) : Cell(),
                   record.usage ? cell(record.usage->cached_tokens) : Cell(), record.completion_tokens(), record.status,
                   record.error});
    return table;
}

Table metrics_table(const std::vector<MetricsSample>& samples) {
    Table table({"at_s", "server", "answered", "running", "waiting", "kv_usage", "prefix_queries", "prefix_hits",
                 "prompt_tokens", "generated_tokens"});
    for (const auto& sample : samples) {
        const auto& metrics = sample.metrics;
        table.add({sample.at, sample.server, sample.answered ? 1 : 0, cell(metrics.running), cell(metrics.waiting),
                   cell(metrics.kv_usage), cell(metrics.prefix_queries), cell(metrics.prefix_hits),
                   cell(metrics.prompt_tokens), cell(metrics.generated_tokens)});
    }
    return table;
}

Table comparison_table() {
    return Table({"arm", "requests", "errors", "cached", "ttft mean s", "ttft p50 s", "ttft p99 s", "latency mean s",
                  "latency p99 s", "tpot mean s", "tokens/s", "load max/mean"});
}

void add_row(Table& table, const std::string& arm, const RunSummary& summary) {
    table.add({arm, summary.requests, summary.errors, summary.cached_share, summary.ttft.mean, summary.ttft.p50,
               summary.ttft.p99, summary.latency.mean, summary.latency.p99, summary.tpot.mean,
               summary.tokens_per_second, summary.load_max_over_mean});
}

}  // namespace planetserve::eval
