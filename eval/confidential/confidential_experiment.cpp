#include "eval/confidential/confidential_experiment.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "eval/kit/live/local_engine.h"
#include "eval/workload/results.h"
#include "eval/workload/work_source.h"

namespace planetserve::eval {

namespace {

constexpr std::string_view side_names[] = {"plain", "confidential"};

// Prompts that share nothing, so that no cache hides what is measured.
std::vector<WorkItem> unshared_work(std::size_t count, std::uint32_t input, std::uint32_t output, std::uint64_t seed) {
    SeededRandom random(seed);
    std::vector<WorkItem> items;
    for (std::size_t i = 0; i < count; ++i) {
        TraceRequest request{0, input, output, {}};
        for (std::uint32_t at = 0; at < input; at += trace_block_tokens) request.hash_ids.push_back(random.next());
        items.push_back(work_of(request, {}));
    }
    return items;
}

class ConfidentialExperiment final : public Experiment {
public:
    std::string_view name() const override { return "confidential"; }
    std::string_view description() const override {
        return "the same work to a server with confidential computing and to one without, in alternating rounds";
    }
    Basis basis() const override { return Basis::live; }
    std::string_view example() const override {
        return "--out results --plain http://a:8000/v1 --confidential http://b:8000/v1 --rate 4";
    }
    bool runs_alone() const override { return false; }
    std::vector<std::string_view> needs() const override {
        if (!local_) return {};
        return {"engine", "models"};
    }

    void add_options(CLI::App& app) override {
        auto* plain = app.add_option("--plain", endpoints_[0], "base URL of the server without confidential computing");
        auto* other = app.add_option("--confidential", endpoints_[1], "base URL of the server with it");
        plain->needs(other);
        other->needs(plain);
        app.add_flag("--local", local_,
                     "two engines on this machine, neither confidential: what the method itself sees")
            ->excludes(plain)
            ->excludes(other);
        engines_.add_options(app);
        source_.add_options(app);
        app.add_option("--input-tokens", input_, "of each prompt where no work is named (default 300)")
            ->check(CLI::Range(1U, token_limit));
        app.add_option("--output-tokens", output_, "of each answer (default 32)")->check(CLI::Range(1U, token_limit));
        app.add_option("--rounds", rounds_, "the work is cut into so many, each sent to both (default 6)")
            ->check(CLI::Range(1, 1000));
        app.add_option("--model", model_, "which model (default: what each endpoint lists first)");
        app.add_option("--api-key", api_key_, "the endpoints' key")->envname("OPENAI_API_KEY");
    }

    Status run(const RunOptions& options, Report& report) override {
        if (!local_ && endpoints_[0].empty())
            return fail(ErrorCode::invalid_argument, "give --plain URL and --confidential URL, or --local");
        if (options.quick) rounds_ = std::min<std::size_t>(rounds_, 3);
        auto items = work(options);
        if (!items) return std::unexpected(items.error());
        boost::asio::io_context context(1);
        std::vector<std::unique_ptr<LocalServer>> servers;
        if (local_) {
            if (Status resolved = engines_.resolve(); !resolved) return resolved;
            auto started = start_engines(context, engines_, 2, report.folder());
            if (!started) return std::unexpected(started.error());
            servers = std::move(*started);
            for (std::size_t side = 0; side < 2; ++side) endpoints_[side] = servers[side]->base_url();
        }
        std::vector<RequestRecord> records[2];
        std::size_t sent = 0;
        for (std::size_t round = 0; round < rounds_; ++round) {
            std::size_t end = items->size() * (round + 1) / rounds_;
            if (Status done = run_round(context, options, round, *items, sent, end, records); !done) return done;
            sent = end;
        }
        return write(options, report, records);
    }

private:
    Result<std::vector<WorkItem>> work(const RunOptions& options) {
        std::size_t count = source_.requests > 0 ? source_.requests : options.quick ? 12 : 60;
        if (!source_.workload.empty() || !source_.trace.empty()) {
            if (options.quick) source_.requests = count;
            return source_.read(options.seed);
        }
        auto items = unshared_work(count, input_, output_, options.seed);
        SeededRandom random(options.seed);
        arrive_at_rate(items, source_.rate > 0 ? source_.rate : 1, random);
        return items;
    }

    // Each round starts with the other side, so that what changes over time hits both alike.
    Status run_round(boost::asio::io_context& context, const RunOptions& options, std::size_t round,
                     const std::vector<WorkItem>& items, std::size_t begin, std::size_t end,
                     std::vector<RequestRecord> (&records)[2]) {
        if (begin == end) return {};
        std::vector<WorkItem> part(items.begin() + static_cast<std::ptrdiff_t>(begin),
                                   items.begin() + static_cast<std::ptrdiff_t>(end));
        if (Status timed = arrive_as_given(part, 1); !timed) return timed;
        for (std::size_t turn = 0; turn < 2; ++turn) {
            std::size_t side = (round + turn) % 2;
            DriverOptions driver;
            driver.endpoints = {endpoints_[side]};
            driver.model = model_;
            driver.api_key = api_key_;
            driver.seed = options.seed;
            driver.ignore_eos = true;
            Progress progress("round " + std::to_string(round + 1) + " of " + std::to_string(rounds_) + ", " +
                                  std::string(side_names[side]),
                              part.size());
            auto driven = drive(context, driver, part, progress);
            if (!driven) return std::unexpected(driven.error());
            for (auto& record : *driven) {
                record.index += begin;
                record.session = "round " + std::to_string(round + 1);
                records[side].push_back(std::move(record));
            }
        }
        return {};
    }

    Status write(const RunOptions& options, Report& report, const std::vector<RequestRecord> (&records)[2]) const {
        Table arms = comparison_table();
        for (std::size_t side = 0; side < 2; ++side) {
            std::string name(side_names[side]);
            if (Status written = report.csv("requests_" + name, requests_table(records[side])); !written)
                return written;
            RunSummary summary = summarise(records[side], 1);
            add_row(arms, name, summary);
            add_to_summary(report, name + "_", summary);
        }
        report.print("Both sides", arms);
        Table ratios({"what", "pairs", "confidential / plain", "low", "high"});
        auto add = [&](const std::string& what, std::optional<double> RequestRecord::* field) {
            std::vector<std::pair<double, double>> pairs;
            for (std::size_t i = 0; i < std::min(records[0].size(), records[1].size()); ++i)
                if (records[0][i].*field && records[1][i].*field)
                    pairs.emplace_back(*(records[1][i].*field), *(records[0][i].*field));
            Estimate ratio = ratio_of_means(pairs, options.seed);
            ratios.add({what, pairs.size(), ratio.value, ratio.low, ratio.high});
            report.summary(what + "_ratio", ratio.value);
            report.summary(what + "_ratio_low", ratio.low);
            report.summary(what + "_ratio_high", ratio.high);
        };
        add("ttft", &RequestRecord::ttft);
        add("tpot", &RequestRecord::tpot);
        add("latency", &RequestRecord::latency);
        report.summary("local", local_);
        report.print("Ratios of means, with 95% bootstrap intervals over the requests", ratios);
        if (local_) report.note("Neither engine is confidential here: a ratio other than 1 is noise of this machine.");
        Figure figure{.name = "latency",
                      .title = "Latency of the same work",
                      .x_label = "seconds",
                      .y_label = "share of requests",
                      .style = Figure::Style::steps};
        for (std::size_t side = 0; side < 2; ++side) {
            std::vector<double> values;
            for (const auto& record : records[side])
                if (record.latency) values.push_back(*record.latency);
            if (values.empty()) return fail(ErrorCode::unavailable, "one side answered no request");
            figure.series.push_back(cumulative_distribution(std::string(side_names[side]), values));
        }
        report.figure(figure);
        return report.csv("ratios", ratios);
    }

    std::string endpoints_[2];
    bool local_ = false;
    LocalEngineOptions engines_;
    WorkSource source_;
    std::uint32_t input_ = 300;
    std::uint32_t output_ = 32;
    std::size_t rounds_ = 6;
    std::string model_;
    std::string api_key_;
};

}  // namespace

std::unique_ptr<Experiment> make_confidential_experiment() { return std::make_unique<ConfidentialExperiment>(); }

}  // namespace planetserve::eval
