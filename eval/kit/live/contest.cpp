#include "eval/kit/live/contest.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <limits>

#include "eval/kit/live/other_load.h"
#include "eval/workload/monitor.h"
#include "eval/workload/simple_get.h"

namespace planetserve::eval {

namespace {

constexpr std::size_t calibration_requests = 20;

Result<std::vector<RequestRecord>> send(boost::asio::io_context& context, const Front& front, std::uint64_t seed,
                                        const std::vector<WorkItem>& items, const std::string& label) {
    DriverOptions options;
    options.endpoints = front.endpoints;
    options.model = front.model;
    options.seed = seed;
    options.ignore_eos = true;
    Progress progress(label, items.size());
    return drive(context, options, items, progress);
}

// The busiest engine's tokens, of prompts and answers, over the mean; not a number where nobody tells.
double token_spread(boost::asio::io_context& context, const std::vector<std::unique_ptr<LocalServer>>& engines) {
    double most = 0;
    double all = 0;
    for (const auto& engine : engines) {
        auto body = fetch(context, engine->base_url(), "/metrics", 10s);
        if (!body) return std::numeric_limits<double>::quiet_NaN();
        EngineMetrics metrics = parse_engine_metrics(*body);
        double tokens = metrics.prompt_tokens.value_or(0) + metrics.generated_tokens.value_or(0);
        most = std::max(most, tokens);
        all += tokens;
    }
    return all > 0 ? most / all * static_cast<double>(engines.size()) : std::numeric_limits<double>::quiet_NaN();
}

}  // namespace

void Contest::add_options(CLI::App& app) {
    engines.add_options(app);
    app.add_option("--engines", engine_count, "llama-servers (default 4)")->check(CLI::Range(1, 64));
    auto* share = app.add_option("--load", load, "arrivals as a share of what the engines in turn can serve")
                      ->check(CLI::Range(0.01, 2.0))
                      ->capture_default_str();
    app.add_option("--rate", rate, "or requests a second")->check(CLI::Range(0.001, 1000.0))->excludes(share);
}

Status Contest::time(std::vector<WorkItem>& items, Report& report) const {
    double arrivals = rate;
    if (arrivals <= 0) {
        boost::asio::io_context context(1);
        auto started = start_engines(context, engines, engine_count, report.folder());
        if (!started) return std::unexpected(started.error());
        std::vector<WorkItem> first(
            items.begin(), items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), calibration_requests)));
        for (auto& item : first) item.at = 0us;
        auto records = send(context, {urls_of(*started), local_model_name}, seed, first, "capacity");
        if (!records) return std::unexpected(records.error());
        RunSummary summary = summarise(*records, engine_count);
        if (summary.errors > 0)
            return fail(ErrorCode::unavailable,
                        "an engine failed while its capacity was measured: " +
                            std::ranges::find_if(*records, [](auto& r) { return !r.ok(); })->error);
        report.summary("capacity_requests_per_second", summary.requests_per_second);
        arrivals = load * summary.requests_per_second;
    }
    report.summary("rate_requests_per_second", arrivals);
    SeededRandom random(seed);
    arrive_at_rate(items, arrivals, random);
    return {};
}

Result<Contest::Outcome> Contest::run_arm(const ContestArm& arm, const std::vector<WorkItem>& items,
                                          Report& report) const {
    boost::asio::io_context context(1);
    std::vector<std::unique_ptr<LocalServer>> servers;
    if (arm.needs_engines) {
        auto started = start_engines(context, engines, engine_count, report.folder());
        if (!started) return std::unexpected(started.error());
        servers = std::move(*started);
    }
    auto front = arm.open(context, urls_of(servers), report.folder());
    if (!front) return std::unexpected(front.error());
    std::vector<pid_t> ours;
    for (const auto* group : {&servers, &front->servers})
        for (const auto& server : *group) ours.push_back(server->pid());
    auto monitor = Monitor::start(context, urls_of(servers));
    if (!monitor) return std::unexpected(monitor.error());
    OtherLoad others(ours);
    auto records = send(context, *front, seed, items, arm.name);
    if (!records) return std::unexpected(records.error());
    Outcome outcome;
    // The processes of a network that was there before are not known here.
    if (!ours.empty()) outcome.other_cores = others.cores();
    if (Status written = report.csv("requests_" + arm.name, requests_table(*records)); !written)
        return std::unexpected(written.error());
    if (Status written = report.csv("metrics_" + arm.name, metrics_table((*monitor)->samples())); !written)
        return std::unexpected(written.error());
    outcome.summary = summarise(*records, front->endpoints.size());
    outcome.summary.load_max_over_mean = token_spread(context, servers);
    for (const auto& record : *records)
        if (record.ttft) outcome.ttft.push_back(*record.ttft);
    return outcome;
}

Status Contest::run(const std::vector<ContestArm>& arms, const std::vector<WorkItem>& items, double ceiling,
                    Report& report) const {
    Table table = comparison_table();
    Table machine({"arm", "what", "cores busy with other work"});
    Figure times{.name = "ttft",
                 .title = "Time to the first token",
                 .x_label = "seconds",
                 .y_label = "share of requests",
                 .style = Figure::Style::steps,
                 .log_x = true};
    Figure cached{.name = "cached",
                  .title = "Prompt tokens found in a cache",
                  .x_label = "",
                  .y_label = "share of prompt tokens",
                  .style = Figure::Style::bars,
                  .series = {{"reached", {}}, {"one infinite cache", {}}}};
    for (const ContestArm& arm : arms) {
        auto outcome = run_arm(arm, items, report);
        if (!outcome) return fail(outcome.error().code, arm.name + ": " + outcome.error().message);
        add_row(table, arm.name, outcome->summary);
        machine.add({arm.name, arm.what, outcome->other_cores});
        add_to_summary(report, arm.name + "_", outcome->summary);
        report.summary(arm.name + "_other_load_cores", outcome->other_cores);
        report.summary(arm.name + "_cached_share_of_ceiling", outcome->summary.cached_share / ceiling);
        if (!outcome->ttft.empty()) times.series.push_back(cumulative_distribution(arm.name, outcome->ttft));
        cached.groups.push_back(arm.name);
        cached.series[0].points.emplace_back(0, outcome->summary.cached_share);
        cached.series[1].points.emplace_back(0, ceiling);
    }
    report.summary("ceiling_cached_share", ceiling);
    report.print("Live; one infinite cache would hold " + Cell(ceiling).text(3) + " of the prompt tokens", table);
    report.print("What else this machine did meanwhile", machine);
    report.figure(times);
    report.figure(cached);
    return report.csv("arms", table);
}

ContestArm round_robin_arm() {
    return {"round_robin", "the engines in turn", true,
            [](boost::asio::io_context&, const std::vector<std::string>& engines,
               const std::filesystem::path&) -> Result<Front> { return Front{engines, local_model_name}; }};
}

ContestArm network_arm(std::string name, std::string what, LocalNetworkOptions options) {
    return {std::move(name), std::move(what), false,
            [options = std::move(options)](boost::asio::io_context& context, const std::vector<std::string>&,
                                           const std::filesystem::path& folder) -> Result<Front> {
                auto network = start_network(context, options, folder);
                if (!network) return std::unexpected(network.error());
                return Front{
                    {network->base_url}, local_model_name, std::move(network->servers), std::move(network->folder)};
            }};
}

ContestArm network_arm(std::string name, std::string what, std::string url) {
    return {std::move(name), std::move(what), false,
            [url = std::move(url)](boost::asio::io_context&, const std::vector<std::string>&,
                                   const std::filesystem::path&) -> Result<Front> { return Front{{url}, ""}; }};
}

}  // namespace planetserve::eval
