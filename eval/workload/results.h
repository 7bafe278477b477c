// What a driver's records say, in numbers, tables and figures.
#pragma once

#include <string>
#include <vector>

#include "eval/kit/report.h"
#include "eval/kit/statistics.h"
#include "eval/workload/driver.h"
#include "eval/workload/monitor.h"

namespace planetserve::eval {

struct RunSummary {
    std::size_t requests = 0;
    std::size_t errors = 0;
    Distribution latency;  // seconds, of complete answers
    Distribution ttft;
    Distribution tpot;
    double seconds = 0;  // from the first that was due to the last that ended
    std::uint64_t prompt_tokens = 0;
    std::uint64_t completion_tokens = 0;
    double tokens_per_second = 0;  // completion tokens
    double requests_per_second = 0;
    double cached_share = 0;        // of prompt tokens; not a number where no server told
    double load_max_over_mean = 0;  // requests at the busiest endpoint
};

RunSummary summarise(const std::vector<RequestRecord>& records, std::size_t endpoints);

// Under keys such as "ttft_p50_s", each after the prefix.
void add_to_summary(Report& report, const std::string& prefix, const RunSummary& summary);

Table requests_table(const std::vector<RequestRecord>& records);
Table metrics_table(const std::vector<MetricsSample>& samples);

// A row an arm: what people compare.
Table comparison_table();
void add_row(Table& table, const std::string& arm, const RunSummary& summary);

}  // namespace planetserve::eval
