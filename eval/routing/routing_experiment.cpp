#include "eval/routing/routing_experiment.h"

#include "eval/kit/cluster/cluster_figures.h"
#include "eval/kit/cluster/trace_workload.h"

namespace planetserve::eval {

namespace {

using simulator::Arm;
using simulator::ClusterOptions;

class RoutingExperiment final : public Experiment {
public:
    std::string_view name() const override { return "routing"; }
    std::string_view description() const override {
        return "share of cached tokens that routing finds on a trace, against perfect knowledge";
    }
    Basis basis() const override { return Basis::simulated; }
    std::string_view example() const override { return "--out results --trace conversation_trace.jsonl"; }

    Status ready() const override { return trace_ready(trace_); }
    void add_options(CLI::App& app) override {
        app.add_option("--trace", trace_, "in Mooncake's format (default: the conversation trace)");
        app.add_option("--nodes", nodes_, "model nodes (default 8)")->check(CLI::Range(1, 256));
        app.add_option("--load", load_, "arrivals, as a share of what round-robin can serve (default 0.8)")
            ->check(CLI::Range(0.05, 2.0));
    }

    Status run(const RunOptions& options, Report& report) override;

private:
    struct Compared {
        ClusterFigures ours;
        ClusterFigures oracle;
    };
    Result<Compared> compare(const std::string& label, const simulator::Workload& workload, ClusterOptions options,
                             Table& table) const;

    std::string trace_;
    std::size_t nodes_ = 8;
    double load_ = 0.8;
};

Result<RoutingExperiment::Compared> RoutingExperiment::compare(const std::string& label,
                                                               const simulator::Workload& workload,
                                                               ClusterOptions options, Table& table) const {
    Compared compared;
    for (Arm arm : {Arm::ours, Arm::oracle}) {
        options.arm = arm;
        auto figures = run_with_progress(label + ", " + std::string(to_string(arm)), workload, options);
        if (!figures) return std::unexpected(figures.error());
        (arm == Arm::ours ? compared.ours : compared.oracle) = *figures;
        double oracle_share = arm == Arm::ours ? std::numeric_limits<double>::quiet_NaN()
                                               : compared.ours.cached_tokens / compared.oracle.cached_tokens;
        table.add(figure_row({label, to_string(arm), oracle_share, figures->wrong_share, figures->stale_share,
                              arm == Arm::ours ? figures->known_share : 1.0},
                             *figures));
    }
    return compared;
}

Status RoutingExperiment::run(const RunOptions& options, Report& report) {
    auto trace = load_trace(trace_, options.quick ? 3000 : 0);
    if (!trace) return std::unexpected(trace.error());
    simulator::Workload workload = workload_of(*trace);
    ClusterOptions cluster;
    cluster.nodes = nodes_;
    cluster.engine = simulator::EngineParameters::gpu_80gb();
    cluster.seed = options.seed;
    auto capacity = round_robin_capacity(workload, cluster);
    if (!capacity) return std::unexpected(capacity.error());
    const double speed = *capacity * load_ / mean_rate(workload);
    scale_arrivals(workload, *capacity * load_);

    Table table(figure_columns({"case", "arm", "oracle_share", "wrong_share", "stale_share", "known_share"}));
    cluster.affinity = false;
    auto alone = compare("routing alone", workload, cluster, table);
    if (!alone) return std::unexpected(alone.error());
    cluster.affinity = true;
    auto affine = compare("with session affinity", workload, cluster, table);
    if (!affine) return std::unexpected(affine.error());
    // As engines have that keep prefixes in the host's memory too.
    cluster.engine.cache_tokens *= 8;
    auto large = compare("caches eight times as large", workload, cluster, table);
    if (!large) return std::unexpected(large.error());

    report.print("Ours and the same rule with perfect knowledge, " + std::to_string(nodes_) + " nodes", table);
    if (Status written = report.csv("routing", table); !written) return written;
    report.figure(
        {.name = "cached_share",
         .title = "Share of prompt tokens found in caches",
         .x_label = "",
         .y_label = "share",
         .style = Figure::Style::bars,
         .series = {{"ours", {{0, alone->ours.hit_share}, {1, affine->ours.hit_share}, {2, large->ours.hit_share}}},
                    {"perfect knowledge",
                     {{0, alone->oracle.hit_share}, {1, affine->oracle.hit_share}, {2, large->oracle.hit_share}}}},
         .groups = {"routing alone", "session affinity", "large caches"}});
    auto share = [](const Compared& compared) { return compared.ours.cached_tokens / compared.oracle.cached_tokens; };
    report.summary("oracle_share", share(*alone));
    report.summary("wrong_match_share", alone->ours.wrong_share);
    report.summary("load_max_over_mean", alone->ours.queue_spread);
    report.summary("stale_match_share", alone->ours.stale_share);
    report.summary("known_share", alone->ours.known_share);
    report.summary("cached_share", alone->ours.hit_share);
    report.summary("oracle_share_with_affinity", share(*affine));
    report.summary("load_max_over_mean_with_affinity", affine->ours.queue_spread);
    report.summary("oracle_share_large_caches", share(*large));
    report.summary("load_max_over_mean_large_caches", large->ours.queue_spread);
    report.summary("infinite_cache_share", infinite_cache_share(*trace));
    report.summary("requests", workload.size());
    report.summary("nodes", nodes_);
    report.summary("trace_speed", speed);
    return {};
}

}  // namespace

std::unique_ptr<Experiment> make_routing_experiment() { return std::make_unique<RoutingExperiment>(); }

}  // namespace planetserve::eval
