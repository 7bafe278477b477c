// What a hash width costs. First one holder that gives up nothing: each request of the trace is looked up and then
// inserted, and the reference is the exact match, in whole chunks. Then a group of nodes that route by such matches.
#include "eval/hash_width/hash_width_experiment.h"

#include <unordered_set>

#include "eval/kit/cluster/cluster_figures.h"
#include "eval/kit/cluster/cluster_work.h"
#include "eval/kit/cluster/trace_workload.h"
#include "routing/hr_tree.h"

namespace planetserve::eval {

namespace {

using namespace routing;

struct WidthFigures {
    double over_share = 0;      // of requests
    double over_by_three = 0;   // of requests, by three chunks or more
    double excess_tokens = 0;   // a request
    double matched_tokens = 0;  // a request, exact
};

// A block's tokens are stood for by 16 bytes a chunk: the width's errors depend on the number of chunks, not on their
// length.
WidthFigures measure(const std::vector<TraceRequest>& trace, HashWidth width, std::size_t chunks_a_block,
                     std::uint64_t seed) {
    constexpr std::uint32_t chunk_bytes = 16;
    SeededRandom random(seed);
    Bytes key(32);
    random.fill(key);
    ChunkHasher hasher(key, {1, {}, chunk_bytes, ChunkLengths::most_levels}, width);
    HrTree tree(random.next());
    std::unordered_set<std::uint64_t> held;
    std::vector<Match> matches;
    WidthFigures figures;
    for (const TraceRequest& request : trace) {
        Bytes prompt;
        ByteWriter out(prompt);
        // An id stands for everything up to its block's end, so it comes in one place only.
        std::size_t depth = 0;
        for (std::uint64_t id : request.hash_ids)
            for (std::size_t part = 0; part < chunks_a_block; ++part) {
                out.u64(id);
                out.u64(part);
            }
        while (depth < request.hash_ids.size() && held.contains(request.hash_ids[depth])) ++depth;
        held.insert(request.hash_ids.begin(), request.hash_ids.end());
        depth = std::min(depth * chunks_a_block, std::size_t{ChunkLengths::most_levels});
        auto hashes = hasher.hash(prompt);
        std::size_t found = tree.match(hashes, matches);
        tree.insert(hashes, 0);
        figures.over_share += found > depth ? 1 : 0;
        figures.over_by_three += found >= depth + 3 ? 1 : 0;
        figures.excess_tokens += static_cast<double>(found - std::min(found, depth));
        figures.matched_tokens += static_cast<double>(depth);
    }
    const auto requests = static_cast<double>(trace.size());
    const double tokens = double{trace_block_tokens} / static_cast<double>(chunks_a_block);
    return {figures.over_share / requests, figures.over_by_three / requests, figures.excess_tokens * tokens / requests,
            figures.matched_tokens * tokens / requests};
}

class HashWidthExperiment final : public Experiment {
public:
    std::string_view name() const override { return "hash-width"; }
    std::string_view description() const override {
        return "matches that are too deep, by hash width and chunk length, and what they cost";
    }
    Basis basis() const override { return Basis::simulated; }
    std::string_view example() const override { return "--out results --trace conversation_trace.jsonl"; }

    Status ready() const override { return trace_ready(trace_); }
    void add_options(CLI::App& app) override {
        app.add_option("--trace", trace_, "in Mooncake's format (default: the conversation trace)");
    }

    Status run(const RunOptions& options, Report& report) override {
        auto trace = load_trace(trace_, options.quick ? 3000 : 0);
        if (!trace) return std::unexpected(trace.error());
        report.summary("requests", trace->size());
        if (Status done = count_matches(*trace, options.seed, report); !done) return done;
        return route(options, report);
    }

private:
    static Status count_matches(const std::vector<TraceRequest>& trace, std::uint64_t seed, Report& report);
    Status route(const RunOptions& options, Report& report) const;

    std::string trace_;
};

constexpr auto widths = std::to_array({HashWidth::bits8, HashWidth::bits16, HashWidth::bits32});

Status HashWidthExperiment::count_matches(const std::vector<TraceRequest>& trace, std::uint64_t seed, Report& report) {
    Table table({"width_bits", "chunk_tokens", "over_estimated_share", "by_three_chunks_share",
                 "excess_tokens_per_request", "matched_tokens_per_request"});
    Figure figure{.name = "over_estimated",
                  .title = "Requests whose match is over-estimated",
                  .x_label = "chunk length (tokens)",
                  .y_label = "tokens too many, a request",
                  .style = Figure::Style::lines_and_points,
                  .log_x = true,
                  .series = {}};
    Progress progress("hash-width", 18);
    for (HashWidth width : widths) {
        const auto bits = static_cast<int>(width);
        figure.series.push_back({std::to_string(bits) + " bits"});
        for (std::size_t tokens = 16; tokens <= trace_block_tokens; tokens *= 2) {
            WidthFigures figures = measure(trace, width, trace_block_tokens / tokens, seed);
            table.add({bits, tokens, figures.over_share, figures.over_by_three, figures.excess_tokens,
                       figures.matched_tokens});
            figure.series.back().points.emplace_back(tokens, figures.excess_tokens);
            if (tokens == 64 || tokens == trace_block_tokens) {
                std::string suffix = "_" + std::to_string(bits) + "bits_" + std::to_string(tokens) + "tokens";
                report.summary("over_estimated_share" + suffix, figures.over_share);
                report.summary("excess_tokens_per_request" + suffix, figures.excess_tokens);
            }
            progress.advance();
        }
    }
    report.print("Matches that are too deep", table);
    report.figure(figure);
    return report.csv("hash_width", table);
}

Status HashWidthExperiment::route(const RunOptions& options, Report& report) const {
    auto work = trace_work(trace_, options.quick ? 1500 : 0);
    if (!work) return std::unexpected(work.error());
    work->cluster.seed = options.seed;
    SeededRandom random(options.seed);
    if (Status set = set_load(*work, 0.8, random); !set) return set;
    Table table(figure_columns({"width_bits", "wrong_match_share"}));
    for (HashWidth width : widths) {
        const std::string bits = std::to_string(static_cast<int>(width));
        work->cluster.member.width = width;
        auto figures = run_with_progress("routing by " + bits + " bits", work->requests, work->cluster);
        if (!figures) return std::unexpected(figures.error());
        table.add(figure_row({static_cast<int>(width), figures->wrong_share}, *figures));
        report.summary("wrong_match_share_" + bits + "bits", figures->wrong_share);
        report.summary("mean_latency_s_" + bits + "bits", figures->latency.mean);
        report.summary("cached_share_" + bits + "bits", figures->hit_share);
    }
    report.print("What they cost: ours on 8 nodes at 80% load, chunks of 64 tokens", table);
    return report.csv("routing", table);
}

}  // namespace

std::unique_ptr<Experiment> make_hash_width_experiment() { return std::make_unique<HashWidthExperiment>(); }

}  // namespace planetserve::eval
