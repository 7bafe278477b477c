#include "eval/workload/workload_experiment.h"

#include <CLI/CLI.hpp>

#include "eval/workload/results.h"
#include "eval/workload/work_source.h"

namespace planetserve::eval {

namespace {

Figure over_time(const std::vector<MetricsSample>& samples, const std::vector<std::string>& servers, std::string name,
                 std::string label, std::optional<double> EngineMetrics::* field) {
    Figure figure{.name = std::move(name), .title = label, .x_label = "seconds", .y_label = label};
    for (std::size_t i = 0; i < servers.size(); ++i) {
        Series series{servers[i], {}};
        for (const auto& sample : samples)
            if (sample.server == i && sample.metrics.*field)
                series.points.emplace_back(sample.at, *(sample.metrics.*field));
        if (!series.points.empty()) figure.series.push_back(std::move(series));
    }
    return figure;
}

class WorkloadExperiment final : public Experiment {
public:
    std::string_view name() const override { return "workload"; }
    std::string_view description() const override {
        return "drives OpenAI endpoints with a workload or a trace, and watches their metrics";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override {
        return "--out results --endpoint http://127.0.0.1:8400/v1 --trace conversation_trace.jsonl --scale 0.1 "
               "--requests "
               "60 --rate 2";
    }
    bool runs_alone() const override { return false; }

    void add_options(CLI::App& app) override {
        app.add_option("--endpoint", driver_.endpoints, "base URL of an OpenAI-compatible server; repeatable")
            ->required();
        app.add_option("--policy", policy_, "rr: in turn; lb: where the fewest requests are under way (default rr)")
            ->check(CLI::IsMember({"rr", "lb"}));
        source_.add_options(app);
        app.add_option("--model", driver_.model, "which model (default: the first that an endpoint lists)");
        app.add_option("--api-key", driver_.api_key, "the endpoints' key")->envname("OPENAI_API_KEY");
        app.add_option("--monitor", monitor_, "URL of metrics to poll; repeatable (default: each endpoint's /metrics)");
        app.add_flag("--ignore-eos", driver_.ignore_eos, "answers of full length: vLLM and llama-server know it");
        app.add_option("--deadline", deadline_, "seconds a request may take (default 600)")
            ->check(CLI::Range(1, 86400));
    }

    Status run(const RunOptions& options, Report& report) override {
        driver_.policy = policy_ == "lb" ? Policy::least_outstanding : Policy::round_robin;
        driver_.seed = options.seed;
        driver_.request_deadline = std::chrono::seconds(deadline_);
        driver_.first_token_deadline = std::min<Duration>(driver_.first_token_deadline, driver_.request_deadline);
        if (options.quick && (source_.requests == 0 || source_.requests > 20)) source_.requests = 20;
        auto items = source_.read(options.seed);
        if (!items) return std::unexpected(items.error());
        boost::asio::io_context context(1);
        const auto& watched = monitor_.empty() ? driver_.endpoints : monitor_;
        auto monitor = Monitor::start(context, watched, 1s, driver_.api_key);
        if (!monitor) return std::unexpected(monitor.error());
        Result<std::vector<RequestRecord>> records;
        {
            Progress progress("workload", items->size());
            records = drive(context, driver_, *items, progress);
        }
        if (!records) return std::unexpected(records.error());
        return write(report, *records, (*monitor)->samples(), watched);
    }

private:
    Status write(Report& report, const std::vector<RequestRecord>& records, const std::vector<MetricsSample>& samples,
                 const std::vector<std::string>& watched) const {
        if (Status written = report.csv("requests", requests_table(records)); !written) return written;
        if (Status written = report.csv("metrics", metrics_table(samples)); !written) return written;
        RunSummary summary = summarise(records, driver_.endpoints.size());
        Table table = comparison_table();
        add_row(table, policy_, summary);
        report.print("Times count from when a request was due", table);
        add_to_summary(report, "", summary);
        report.summary("endpoints", driver_.endpoints.size());
        report.summary("policy", policy_);
        draw_figures(report, records, samples, watched);
        if (summary.errors == records.size() && !records.empty())
            return fail(ErrorCode::unavailable, "no request was answered; the first error: " + records.front().error);
        return {};
    }

    void draw_figures(Report& report, const std::vector<RequestRecord>& records,
                      const std::vector<MetricsSample>& samples, const std::vector<std::string>& watched) const {
        std::vector<double> ttft, latency;
        for (const auto& record : records) {
            if (record.ttft) ttft.push_back(*record.ttft);
            if (record.latency) latency.push_back(*record.latency);
        }
        if (!latency.empty())
            report.figure({.name = "times",
                           .title = "Time to the first token, and to the last",
                           .x_label = "seconds",
                           .y_label = "share of requests",
                           .style = Figure::Style::steps,
                           .series = {cumulative_distribution("first token", ttft),
                                      cumulative_distribution("whole answer", latency)}});
        for (Figure figure :
             {over_time(samples, watched, "running", "requests running", &EngineMetrics::running),
              over_time(samples, watched, "waiting", "requests waiting", &EngineMetrics::waiting),
              over_time(samples, watched, "kv_usage", "share of the KV cache", &EngineMetrics::kv_usage)})
            if (!figure.series.empty()) report.figure(figure);
    }

    DriverOptions driver_;
    WorkSource source_;
    std::string policy_ = "rr";
    std::vector<std::string> monitor_;
    int deadline_ = 600;
};

}  // namespace

std::unique_ptr<Experiment> make_workload_experiment() { return std::make_unique<WorkloadExperiment>(); }

}  // namespace planetserve::eval
