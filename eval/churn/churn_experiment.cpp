#include "eval/churn/churn_experiment.h"

#include <CLI/CLI.hpp>
#include <cmath>
#include <fstream>

#include "eval/churn/churn_network.h"
#include "eval/kit/statistics.h"

namespace planetserve::eval {

namespace {

// The paper's: 200 of 3,119 nodes a minute.
constexpr double paper_rate = 200.0 / 3119;
constexpr double goal = 0.995;

struct Arm {
    double rate = 1;  // of the paper's
    dispersal::Threshold threshold{};
    std::size_t hops = 3;
    bool repair = true;
    Departure departure = Departure::mixed;
};

std::string label(const Arm& arm) {
    return std::to_string(arm.threshold.n) + "," + std::to_string(arm.threshold.k) + "," + std::to_string(arm.hops);
}

// `part` names one of three kinds of arms; empty: all.
std::vector<Arm> arms_of(bool quick, const std::string& part) {
    std::vector<Arm> arms;
    const std::vector<double> rates = quick ? std::vector<double>{1, 5} : std::vector<double>{1, 2, 5};
    if (part.empty() || part == "rates")
        for (bool repair : {true, false})
            for (double rate : rates) arms.push_back({.rate = rate, .repair = repair});
    if (quick && part.empty()) return arms;
    if (part.empty() || part == "shapes")
        for (auto [threshold, hops] : {std::pair<dispersal::Threshold, std::size_t>{{1, 1}, 3},
                                       {{3, 2}, 3},
                                       {{4, 2}, 3},
                                       {{6, 4}, 3},
                                       {{4, 3}, 2},
                                       {{4, 3}, 5}})
            for (bool repair : {true, false}) arms.push_back({.threshold = threshold, .hops = hops, .repair = repair});
    if (part.empty() || part == "departures")
        for (auto departure : {Departure::orderly, Departure::crash, Departure::silent})
            arms.push_back({.departure = departure});
    return arms;
}

std::vector<double> seconds(const std::vector<Duration>& durations) {
    std::vector<double> values;
    for (Duration duration : durations) values.push_back(to_seconds(duration));
    return values;
}

double share(const std::vector<ChurnRequest>& requests) {
    auto delivered = std::ranges::count_if(requests, &ChurnRequest::delivered);
    return static_cast<double>(delivered) / static_cast<double>(requests.size());
}

// Of those asked in a slice of the session.
std::vector<ChurnRequest> between(const std::vector<ChurnRequest>& requests, Duration from, Duration to) {
    std::vector<ChurnRequest> found;
    for (const ChurnRequest& request : requests)
        if (request.age >= from && request.age < to) found.push_back(request);
    return found;
}

class ChurnExperiment final : public Experiment {
public:
    std::string_view name() const override { return "churn"; }
    std::string_view description() const override {
        return "requests answered and time to repair paths while nodes come and go at 1 to 5 times the paper's rate";
    }
    Basis basis() const override { return Basis::simulated; }
    std::string_view example() const override { return "--out results --nodes 3119 --users 60 --session-minutes 30"; }

    void add_options(CLI::App& app) override {
        app.add_option("--nodes", nodes_, "user nodes (default 3119; 600 with --quick)")
            ->check(CLI::Range(30U, 100'000U));
        app.add_option("--users", users_, "of them, who ask and stay (default 60; 12 with --quick)")
            ->check(CLI::Range(1U, 10'000U));
        app.add_option("--session-minutes", session_minutes_, "how long each asks (default 30; 4 with --quick)")
            ->check(CLI::Range(1U, 55U));
        app.add_option("--part", part_, "rates, shapes (n, k and l) or departures alone")
            ->check(CLI::IsMember({"rates", "shapes", "departures"}));
        app.add_option("--every", every_, "seconds between two requests of a user (default 10)")
            ->check(CLI::Range(0.1, 3600.0));
        app.add_option(
               "--faults", faults_file_,
               "a script of faults at times since the sessions' begin, for every arm (simulator/fault_script.h)")
            ->check(CLI::ExistingFile);
        app.add_option("--trace", trace_file_, "write every delivery of the first arm, and run no other");
    }

    Status run(const RunOptions& options, Report& report) override {
        ChurnShape base;
        base.nodes = nodes_ > 0 ? nodes_ : options.quick ? 600 : 3119;
        base.users = users_ > 0 ? users_ : options.quick ? 12 : 60;
        base.session = std::chrono::minutes(session_minutes_ > 0 ? session_minutes_ : options.quick ? 4 : 30);
        base.every = std::chrono::round<Duration>(std::chrono::duration<double>(every_));
        if (base.users + 20 > base.nodes)
            return fail(ErrorCode::invalid_argument, "--users leaves fewer than 20 of --nodes to relay");
        std::vector<simulator::Fault> faults;
        if (!faults_file_.empty()) {
            auto text = read_file(faults_file_, 1 << 20);
            if (!text) return std::unexpected(text.error());
            auto parsed = simulator::parse_faults(*text);
            if (!parsed) return fail(parsed.error().code, faults_file_ + ": " + parsed.error().message);
            faults = std::move(*parsed);
        }
        auto arms = arms_of(options.quick, part_);
        std::ofstream trace;
        if (!trace_file_.empty()) {
            trace.open(trace_file_);
            if (!trace) return fail(ErrorCode::unavailable, trace_file_ + ": cannot be written");
            arms.resize(1);
        }
        report.summary("nodes", base.nodes);
        report.summary("departures_a_minute_at_rate_1", paper_rate * static_cast<double>(base.nodes));
        report.summary("goal_delivered", goal);
        std::uint64_t hash = 0;
        for (const Arm& arm : arms) {
            Progress progress("rate " + Cell(arm.rate).text(3) + ", " + label(arm) + (arm.repair ? "" : ", no repair"),
                              100);
            ChurnShape shape = base;
            shape.threshold = arm.threshold;
            shape.hops = arm.hops;
            shape.repair = arm.repair;
            shape.departure = arm.departure;
            shape.departures_a_minute = arm.rate * paper_rate * static_cast<double>(base.nodes);
            ChurnWatch watch{trace_file_.empty() ? nullptr : &trace,
                             [&](double done) { progress.set(static_cast<std::uint64_t>(done * 100)); }};
            auto result = run_churn(shape, options.seed, faults, watch);
            if (!result) return std::unexpected(result.error());
            hash = hash * 31 + result->trace_hash;
            add(report, arm, shape, *result);
        }
        report.summary("trace_hash", to_hex(std::bit_cast<std::array<std::uint8_t, 8>>(hash)));
        if (Status written = report.csv("arms", arms_); !written) return written;
        if (Status written = report.csv("ages", ages_); !written) return written;
        if (Status written = report.csv("repairs", repairs_); !written) return written;
        report.print("Delivered, of requests asked while nodes leave", arms_);
        if (!delivered_.series.empty()) report.figure(delivered_);
        if (!repaired_.series.empty()) report.figure(repaired_);
        if (trace_file_.empty()) return {};
        trace.close();
        return trace ? Status{} : fail(ErrorCode::unavailable, trace_file_ + ": could not be written whole");
    }

private:
    void add(Report& report, const Arm& arm, const ChurnShape& shape, const ChurnResult& result) {
        std::vector<double> first;
        for (const ChurnRequest& request : result.requests)
            if (request.delivered) first.push_back(to_seconds(request.first_token));
        Distribution token = distribution(first), noticed = distribution(seconds(result.noticed)),
                     repaired = distribution(seconds(result.repaired));
        const double delivered = share(result.requests);
        arms_.add({arm.rate, arm.threshold.n, arm.threshold.k, arm.hops, arm.repair ? "yes" : "no",
                   std::string(to_string(arm.departure)), result.requests.size(), delivered, token.p50, token.p99,
                   result.broken, noticed.p50, noticed.p99, repaired.p50, repaired.p99, result.departures});
        const std::string key = key_of(arm);
        report.summary(key + "_delivered", delivered);
        if (arm.repair) report.summary(key + "_repair_s_p50", repaired.p50);
        if (arm.repair) report.summary(key + "_repair_s_p99", repaired.p99);
        Series series{label(arm) + (arm.repair ? ", repair, " : ", no repair, ") + Cell(arm.rate).text(2) + "x"};
        const Duration slice = std::max<Duration>(1min, shape.session / 15);
        for (Duration from{}; from < shape.session; from += slice) {
            auto of_age = between(result.requests, from, from + slice);
            if (of_age.empty()) continue;
            const double minutes = to_seconds(from + slice / 2) / 60;
            const double rate = arm.rate * paper_rate / 60;
            ages_.add({arm.rate, arm.threshold.n, arm.threshold.k, arm.hops, arm.repair ? "yes" : "no",
                       std::string(to_string(arm.departure)), minutes, of_age.size(), share(of_age),
                       survival(arm.threshold, arm.hops, rate, from + slice / 2)});
            series.points.emplace_back(minutes, share(of_age));
        }
        const bool usual = label(arm) == "4,3,3" && arm.departure == Departure::mixed;
        if (usual) delivered_.series.push_back(std::move(series));
        for (Duration time : result.repaired)
            repairs_.add({arm.rate, label(arm), std::string(to_string(arm.departure)), to_seconds(time)});
        if (usual && !result.repaired.empty())
            repaired_.series.push_back(
                cumulative_distribution(Cell(arm.rate).text(2) + " x the paper's rate", seconds(result.repaired)));
    }

    static std::string key_of(const Arm& arm) {
        std::string key = "rate_" + Cell(arm.rate).text(2) + "_n" + std::to_string(arm.threshold.n) + "_k" +
                          std::to_string(arm.threshold.k) + "_l" + std::to_string(arm.hops);
        if (arm.departure != Departure::mixed) key += "_" + std::string(to_string(arm.departure));
        return key + (arm.repair ? "" : "_no_repair");
    }

    std::uint32_t nodes_ = 0;
    std::uint32_t users_ = 0;
    std::uint32_t session_minutes_ = 0;
    double every_ = 10;
    std::string part_;
    std::string faults_file_;
    std::string trace_file_;

    Table arms_{{"rate", "n", "k", "l", "repair", "departures", "requests", "delivered", "first token, s: p50",
                 "first token: p99", "paths broken", "noticed, s: p50", "noticed: p99", "repaired, s: p50",
                 "repaired: p99", "nodes left"}};
    Table ages_{
        {"rate", "n", "k", "l", "repair", "departures", "age_minutes", "requests", "delivered", "k_of_n_paths_whole"}};
    Table repairs_{{"rate", "n_k_l", "departures", "repair_s"}};
    Figure delivered_{.name = "delivered",
                      .title = "Requests answered, by the age of the session",
                      .x_label = "minutes since the paths were built",
                      .y_label = "share",
                      .style = Figure::Style::lines_and_points};
    Figure repaired_{.name = "repair",
                     .title = "From a relay's departure to four whole paths again",
                     .x_label = "s",
                     .y_label = "share of broken paths",
                     .style = Figure::Style::steps};
};

}  // namespace

std::unique_ptr<Experiment> make_churn_experiment() { return std::make_unique<ChurnExperiment>(); }

}  // namespace planetserve::eval
