#include "eval/clove_latency/clove_latency_experiment.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <numeric>

#include "crypto/system_random.h"
#include "eval/clove_latency/exchange_timer.h"
#include "eval/clove_latency/lengths.h"
#include "eval/clove_latency/steps.h"
#include "eval/clove_latency/texts.h"
#include "eval/kit/statistics.h"

namespace planetserve::eval {

namespace {

constexpr std::size_t warm_up = 30;
constexpr std::string_view end_names[] = {"prepare_prompt", "open_prompt", "prepare_answer", "open_answer"};

// Times of many exchanges, by end.
struct Collected {
    std::vector<double> ends[4];
    void add(const ExchangeTimes& times) {
        double values[] = {times.prepare_prompt, times.open_prompt, times.prepare_answer, times.open_answer};
        for (std::size_t i = 0; i < 4; ++i) ends[i].push_back(values[i]);
    }
};

class CloveLatencyExperiment final : public Experiment {
public:
    std::string_view name() const override { return "clove-latency"; }
    std::string_view description() const override {
        return "preparing and opening cloves at users and model nodes, for prompts and answers of real lengths";
    }
    Basis basis() const override { return Basis::measured; }
    std::string_view example() const override { return "--out results --trace conversation_trace.jsonl"; }

    void add_options(CLI::App& app) override {
        app.add_option("--trace", traces_,
                       "files with lengths: Mooncake's .jsonl, Azure's .csv (default: those of PLANETSERVE_TRACES, "
                       "else lengths drawn from their quantiles)")
            ->check(CLI::ExistingFile);
        app.add_option("--requests", requests_, "of each trace, drawn at random (default 2000; 200 with --quick)")
            ->check(CLI::Range(1U, 1'000'000U));
    }

    Status run(const RunOptions& options, Report& report) override {
        SeededRandom random(options.seed);
        auto traces = read_traces(random);
        if (!traces) return std::unexpected(traces.error());
        const std::size_t count = requests_ > 0 ? requests_ : options.quick ? 200 : 2000;
        Table summary({"lengths", "what", "messages", "mean_us", "p50_us", "p90_us", "p99_us", "max_us"});
        Table rows({"lengths", "prompt_tokens", "answer_tokens", "prepare_prompt_us", "open_prompt_us",
                    "prepare_answer_us", "open_answer_us"});
        Table shares({"lengths", "what", "keys", "items", "cipher", "disperse", "envelope", "steps / whole"});
        ExchangeTimer timer(system_random_);
        if (Status warmed = repeat(timer, {2000, 350}, warm_up); !warmed) return warmed;
        for (const auto& trace : *traces) {
            std::vector<Lengths> drawn;
            for (std::size_t i = 0; i < count; ++i)
                drawn.push_back(trace.requests[random.below(trace.requests.size())]);
            if (Status done = measure(trace.name, drawn, timer, report, summary, rows, shares); !done) return done;
        }
        if (Status done = measure_claim(options, timer, report, summary); !done) return done;
        if (Status done = measure_stream(options, timer, report, summary); !done) return done;
        report.print("Microseconds of one core a message", summary);
        report.print("Shares of the steps in all time, each step timed by itself", shares);
        if (Status written = report.csv("latency", summary); !written) return written;
        if (Status written = report.csv("steps", shares); !written) return written;
        return report.csv("messages", rows);
    }

private:
    Result<std::vector<LengthTrace>> read_traces(Random& random) const {
        if (traces_.empty()) return default_length_traces(random);
        std::vector<LengthTrace> traces;
        for (const auto& file : traces_) {
            auto trace = read_length_trace(file);
            if (!trace) return std::unexpected(trace.error());
            traces.push_back(std::move(*trace));
        }
        return traces;
    }

    Result<ExchangeTimes> once(ExchangeTimer& timer, Lengths lengths) {
        return timer.run(chat_request(lengths.prompt), {chat_answer(lengths.answer)});
    }

    Status repeat(ExchangeTimer& timer, Lengths lengths, std::size_t times, Collected* collected = nullptr) {
        for (std::size_t i = 0; i < times; ++i) {
            auto one = once(timer, lengths);
            if (!one) return std::unexpected(one.error());
            if (collected) collected->add(*one);
        }
        return {};
    }

    static void add_rows(const std::string& name, const Collected& collected, Report& report, Table& summary) {
        for (std::size_t i = 0; i < 4; ++i) add_row(name, end_names[i], collected.ends[i], report, summary);
    }

    static void add_row(const std::string& name, std::string_view what, const std::vector<double>& values,
                        Report& report, Table& summary) {
        Distribution all = distribution(values);
        summary.add({name, what, all.count, all.mean, all.p50, all.p90, all.p99, all.max});
        report.summary(name + "_" + std::string(what) + "_p50_us", all.p50);
        report.summary(name + "_" + std::string(what) + "_p99_us", all.p99);
    }

    Status measure(const std::string& name, const std::vector<Lengths>& drawn, ExchangeTimer& timer, Report& report,
                   Table& summary, Table& rows, Table& shares) {
        Collected collected;
        StepTimes steps[4]{};
        Progress progress(name, drawn.size());
        for (const Lengths& lengths : drawn) {
            Bytes request = chat_request(lengths.prompt);
            Bytes answer = chat_answer(lengths.answer);
            auto one = timer.run(request, {answer});
            if (!one) return std::unexpected(one.error());
            collected.add(*one);
            rows.add({name, lengths.prompt, lengths.answer, one->prepare_prompt, one->open_prompt, one->prepare_answer,
                      one->open_answer});
            MessageSteps directions[] = {time_steps(request, true, system_random_),
                                         time_steps(answer, false, system_random_)};
            for (std::size_t i = 0; i < 4; ++i)
                for (std::size_t step = 0; step < step_names.size(); ++step)
                    steps[i][step] += i % 2 == 0 ? directions[i / 2].prepare[step] : directions[i / 2].open[step];
            progress.advance();
        }
        add_rows(name, collected, report, summary);
        for (std::size_t i = 0; i < 4; ++i) add_shares(name, i, steps[i], collected, report, shares);
        Figure figure{.name = "cdf_" + name,
                      .title = "Preparing and opening cloves, lengths of " + name,
                      .x_label = "microseconds of one core",
                      .y_label = "share of messages",
                      .style = Figure::Style::steps,
                      .log_x = true};
        constexpr std::string_view titles[] = {"user prepares a prompt", "model node opens it",
                                               "model node prepares an answer", "user opens it"};
        for (std::size_t i = 0; i < 4; ++i)
            figure.series.push_back(cumulative_distribution(std::string(titles[i]), collected.ends[i]));
        report.figure(figure);
        return {};
    }

    static void add_shares(const std::string& name, std::size_t end, const StepTimes& steps, const Collected& collected,
                           Report& report, Table& shares) {
        double all = std::accumulate(steps.begin(), steps.end(), 0.0);
        double whole = std::accumulate(collected.ends[end].begin(), collected.ends[end].end(), 0.0);
        std::vector<Cell> row{name, end_names[end]};
        for (std::size_t step = 0; step < step_names.size(); ++step) {
            row.emplace_back(steps[step] / all);
            report.summary(name + "_" + std::string(end_names[end]) + "_share_" + std::string(step_names[step]),
                           steps[step] / all);
        }
        row.emplace_back(all / whole);
        shares.add(std::move(row));
    }

    // The length that the paper speaks of.
    Status measure_claim(const RunOptions& options, ExchangeTimer& timer, Report& report, Table& summary) {
        Collected collected;
        if (Status done = repeat(timer, {2000, 2000}, options.quick ? 200 : 2000, &collected); !done) return done;
        add_rows("2000_tokens", collected, report, summary);
        return {};
    }

    // An answer that comes word by word: each is a message.
    Status measure_stream(const RunOptions& options, ExchangeTimer& timer, Report& report, Table& summary) {
        std::vector<double> prepare, open;
        for (std::size_t i = 0, times = options.quick ? 5 : 50; i < times; ++i) {
            auto one = timer.run(chat_request(2000), chat_stream(350));
            if (!one) return std::unexpected(one.error());
            prepare.insert(prepare.end(), one->prepare_piece.begin(), one->prepare_piece.end());
            open.insert(open.end(), one->open_piece.begin(), one->open_piece.end());
        }
        add_row("streamed_token", "prepare_answer", prepare, report, summary);
        add_row("streamed_token", "open_answer", open, report, summary);
        return {};
    }

    std::vector<std::string> traces_;
    std::size_t requests_ = 0;
    crypto::SystemRandom system_random_;
};

}  // namespace

std::unique_ptr<Experiment> make_clove_latency_experiment() { return std::make_unique<CloveLatencyExperiment>(); }

}  // namespace planetserve::eval
