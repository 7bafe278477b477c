#include "eval/ablation/ablation_experiment.h"

#include "eval/ablation/ablation_parts.h"
#include "eval/ablation/live_ablation.h"
#include "eval/kit/cluster/trace_workload.h"

namespace planetserve::eval {

namespace {

using simulator::Arm;
using simulator::SharedPrompts;

class AblationExperiment final : public Experiment {
public:
    // Both halves' load: the goals are for 80%.
    AblationExperiment() { live_.contest.load = 0.8; }

    std::string_view name() const override { return "ablation"; }
    std::string_view description() const override {
        return "round-robin, HR-tree, HR-tree + load balancing, ours: latency and caches; --live with real engines";
    }
    Basis basis() const override { return live_.live ? Basis::live : Basis::simulated; }
    std::string_view example() const override { return "--out results"; }
    std::vector<std::string_view> needs() const override {
        if (!live_.live) return {};
        return {"engine", "models"};
    }

    Status ready() const override { return trace_ready(trace_); }
    void add_options(CLI::App& app) override {
        app.add_option("--trace", trace_, "in Mooncake's format (default: the conversation trace)");
        app.add_option("--most-nodes", most_nodes_, "of the scale sweep (default 1024, with --quick 64)")
            ->check(CLI::Range(8, 1024));
        app.add_option("--part", part_, "of the simulated half: all, arms, additions or scale (default all)")
            ->check(CLI::IsMember({"all", "arms", "additions", "scale"}));
        live_.add_options(app);
    }

    Status run(const RunOptions& options, Report& report) override;

private:
    Result<std::vector<ClusterWork>> works(const RunOptions& options) const;
    Result<std::vector<ClusterWork>> works_for_additions(const RunOptions& options) const;
    Status run_all_arms(const RunOptions& options, Report& report) const;
    Status prepare(std::vector<ClusterWork>& works, std::uint64_t seed, Random& random) const;

    std::string trace_;
    std::size_t most_nodes_ = 0;
    std::string part_ = "all";
    LiveAblation live_;
};

// The first two are the goals'.
Result<std::vector<ClusterWork>> AblationExperiment::works(const RunOptions& options) const {
    const std::size_t requests = options.quick ? 2000 : 10'000;
    SeededRandom random(options.seed);
    std::vector<ClusterWork> works;
    works.push_back({.name = "tools", .requests = shared_prompts(SharedPrompts::tools(128), requests, random)});
    auto trace = trace_work(trace_, options.quick ? 1500 : 0);
    if (!trace) return std::unexpected(trace.error());
    works.push_back(std::move(*trace));
    if (!options.quick) {
        works.push_back({.name = "coding", .requests = shared_prompts(SharedPrompts::coding(400), requests, random)});
        works.push_back(
            {.name = "documents", .requests = shared_prompts(SharedPrompts::documents(60), requests, random)});
        works.push_back({.name = "mix",
                         .requests = simulator::mixed_prompts(
                             {SharedPrompts::tools(64), SharedPrompts::coding(200), SharedPrompts::documents(20)},
                             requests, random)});
    }
    if (Status set = prepare(works, options.seed, random); !set) return std::unexpected(set.error());
    return works;
}

// Where each addition has something to do, in sizes that a dozen runs can afford.
Result<std::vector<ClusterWork>> AblationExperiment::works_for_additions(const RunOptions& options) const {
    SeededRandom random(options.seed);
    std::vector<ClusterWork> works;
    works.push_back({.name = "tools",
                     .requests = shared_prompts(SharedPrompts::tools(128), options.quick ? 2000 : 10'000, random)});
    if (!options.quick) {
        auto trace = trace_work(trace_, 3000);
        if (!trace) return std::unexpected(trace.error());
        works.push_back(std::move(*trace));
        works.push_back({.name = "documents", .requests = shared_prompts(SharedPrompts::documents(60), 5000, random)});
        works.push_back({.name = "64 nodes", .requests = shared_prompts(SharedPrompts::tools(256), 5000, random)});
        works.back().cluster.nodes = 64;
    }
    if (Status set = prepare(works, options.seed, random); !set) return std::unexpected(set.error());
    return works;
}

Status AblationExperiment::prepare(std::vector<ClusterWork>& works, std::uint64_t seed, Random& random) const {
    for (ClusterWork& work : works) {
        work.cluster.seed = seed;
        if (Status set = set_load(work, live_.contest.load, random); !set) return set;
    }
    return {};
}

void summarise(const std::string& work, const ArmFigures& figures, Report& report) {
    const ClusterFigures& plain = of(figures, Arm::round_robin);
    for (auto [arm, key] :
         {std::pair{Arm::hr_tree, "hr_tree"}, {Arm::hr_tree_load_balancing, "hr_tree_lb"}, {Arm::ours, "ours"}}) {
        const ClusterFigures& with = of(figures, arm);
        const std::string prefix = work + "_" + key + "_";
        report.summary(prefix + "mean_latency_reduction", 1 - with.latency.mean / plain.latency.mean);
        report.summary(prefix + "p99_latency_reduction", 1 - with.latency.p99 / plain.latency.p99);
        report.summary(prefix + "mean_ttft_reduction", 1 - with.first_token.mean / plain.first_token.mean);
        report.summary(prefix + "cached_share", with.hit_share);
        report.summary(prefix + "sync_bytes_per_node_s", with.sync_bytes);
    }
    report.summary(work + "_round_robin_cached_share", plain.hit_share);
}

Status AblationExperiment::run_all_arms(const RunOptions& options, Report& report) const {
    auto all = works(options);
    if (!all) return std::unexpected(all.error());
    Table table(figure_columns({"work", "arm"}));
    Figure latency{.name = "latency",
                   .title = "Mean latency, as a share of round-robin's",
                   .x_label = "",
                   .y_label = "share",
                   .style = Figure::Style::bars,
                   .series = {{"HR-tree"}, {"HR-tree + load balancing"}, {"ours"}}};
    for (const ClusterWork& work : *all) {
        auto figures = run_arms(work, table);
        if (!figures) return std::unexpected(figures.error());
        summarise(work.name, *figures, report);
        latency.groups.push_back(work.name);
        std::size_t series = 0;
        for (Arm arm : {Arm::hr_tree, Arm::hr_tree_load_balancing, Arm::ours})
            latency.series[series++].points.emplace_back(
                latency.groups.size() - 1,
                of(*figures, arm).latency.mean / of(*figures, Arm::round_robin).latency.mean);
    }
    report.print("Arms, 8 nodes", table);
    if (Status written = report.csv("arms", table); !written) return written;
    // The flow chart may be slower than round-robin by a factor that would hide all else.
    latency.log_y = true;
    report.figure(latency);
    return {};
}

Status AblationExperiment::run(const RunOptions& options, Report& report) {
    if (live_.live) return live_.run(options, report);
    auto wanted = [&](std::string_view part) { return part_ == "all" || part_ == part; };
    if (wanted("arms"))
        if (Status done = run_all_arms(options, report); !done) return done;
    if (wanted("additions")) {
        auto works = works_for_additions(options);
        if (!works) return std::unexpected(works.error());
        if (Status done = run_additions(*works, report); !done) return done;
    }
    if (!wanted("scale")) return {};
    return run_scale(most_nodes_ > 0 ? most_nodes_ : options.quick ? 64 : 1024, options.seed, report);
}

}  // namespace

std::unique_ptr<Experiment> make_ablation_experiment() { return std::make_unique<AblationExperiment>(); }

}  // namespace planetserve::eval
