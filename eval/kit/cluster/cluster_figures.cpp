#include "eval/kit/cluster/cluster_figures.h"

#include <algorithm>

namespace planetserve::eval {

namespace {

double spread(const std::vector<simulator::NodeUse>& nodes, auto&& use) {
    double sum = 0;
    double most = 0;
    for (const simulator::NodeUse& node : nodes) {
        sum += use(node);
        most = std::max(most, double(use(node)));
    }
    return sum > 0 ? most * static_cast<double>(nodes.size()) / sum : 1;
}

}  // namespace

ClusterFigures figures_of(const simulator::ClusterResult& result, std::size_t nodes) {
    ClusterFigures figures;
    std::vector<double> latency;
    std::vector<double> first_token;
    std::vector<double> token;
    double prompts = 0;
    double wrong = 0;
    double stale = 0;
    double known = 0;
    double held = 0;
    for (std::size_t i = 0; i < result.outcomes.size(); ++i) {
        const simulator::RequestOutcome& outcome = result.outcomes[i];
        prompts += outcome.prompt_tokens;
        figures.cached_tokens += outcome.cached_tokens;
        wrong += outcome.ever_held ? 0 : 1;
        stale += outcome.ever_held && outcome.claimed_tokens > outcome.held_tokens + 16 ? 1 : 0;
        known += std::min(outcome.best_claimed_tokens, outcome.best_held_tokens);
        held += outcome.best_held_tokens;
        if (i < result.outcomes.size() / 10) continue;
        latency.push_back(to_seconds(outcome.latency));
        first_token.push_back(to_seconds(outcome.first_token));
        if (outcome.output_tokens > 1)
            token.push_back(to_seconds(outcome.latency - outcome.first_token) / (outcome.output_tokens - 1));
    }
    const auto requests = static_cast<double>(result.outcomes.size());
    figures.latency = distribution(std::move(latency));
    figures.first_token = distribution(std::move(first_token));
    figures.token = distribution(std::move(token));
    figures.hit_share = figures.cached_tokens / prompts;
    figures.queue_spread = spread(result.nodes, [](const auto& node) { return node.mean_queued; });
    figures.request_spread = spread(result.nodes, [](const auto& node) { return static_cast<double>(node.requests); });
    for (const simulator::NodeUse& node : result.nodes)
        figures.mean_queue += node.mean_queued / static_cast<double>(nodes);
    figures.wrong_share = wrong / requests;
    figures.stale_share = stale / requests;
    figures.known_share = held > 0 ? known / held : 1;
    figures.sync_bytes = static_cast<double>(result.sync_bytes) / static_cast<double>(nodes) / result.seconds;
    return figures;
}

Result<ClusterFigures> run_with_progress(const std::string& label, const simulator::Workload& workload,
                                         simulator::ClusterOptions options) {
    Progress progress(label, workload.size());
    options.progress = [&](std::size_t done) { progress.set(done); };
    auto result = simulator::run_cluster(workload, options);
    if (!result) return std::unexpected(result.error());
    progress.set(workload.size());
    return figures_of(*result, options.nodes);
}

std::vector<std::string> figure_columns(std::vector<std::string> first) {
    for (const char* name : {"mean_s", "p50_s", "p99_s", "ttft_mean_s", "ttft_p99_s", "tpot_mean_s", "cached_share",
                             "queue_max_over_mean", "requests_max_over_mean", "sync_bytes_per_node_s"})
        first.emplace_back(name);
    return first;
}

std::vector<Cell> figure_row(std::vector<Cell> first, const ClusterFigures& figures) {
    for (double value : {figures.latency.mean, figures.latency.p50, figures.latency.p99, figures.first_token.mean,
                         figures.first_token.p99, figures.token.mean, figures.hit_share, figures.queue_spread,
                         figures.request_spread, figures.sync_bytes})
        first.emplace_back(value);
    return first;
}

}  // namespace planetserve::eval
