#include "eval/adversary/adversary_experiment.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "eval/adversary/inference.h"
#include "eval/anonymity/anonymity.h"
#include "eval/kit/fractions.h"

namespace planetserve::eval {

namespace {

// All rounds of one network, boiled down.
struct Observed {
    std::vector<Evidence> evidence;
    NodeId target;
    double position_right = 0;     // the share of relays' guesses, first or not, that are right
    std::size_t entries_used = 0;  // different first relays of the user's paths
    std::uint64_t frames = 0;
};

struct Row {
    double entropy = 0;
    double probability = 0;
    double named = 0;
    double misled = 0;
    double entry = 0;
};

class AdversaryExperiment final : public Experiment {
public:
    std::string_view name() const override { return "adversary"; }
    std::string_view description() const override {
        return "naming the sender from what nodes of a simulated network saw, for 1 to 1,000 requests of one user";
    }
    Basis basis() const override { return Basis::simulated; }
    std::string_view example() const override { return "--out results --f 0.05,0.1 --requests 1000"; }

    void add_options(CLI::App& app) override {
        app.add_option("--N", shape_.nodes, "nodes in the network (default 10000; 1000 with --quick)")
            ->check(CLI::Range(100UL, 100'000UL));
        app.add_option("--users", shape_.users, "who ask at the same time (default 5)")->check(CLI::Range(1U, 50U));
        app.add_option("--entries", shape_.entries, "entry relays of each user (default 6)")
            ->check(CLI::Range(1U, 64U));
        app.add_option("--requests", requests_, "of the user (default 1000; 100 with --quick)")
            ->check(CLI::Range(1U, 100'000U));
        app.add_option("--draws", draws_, "of who is malicious, for each f (default 1000; 200 with --quick)")
            ->check(CLI::Range(1U, 1'000'000U));
        add_fractions(app, fractions_, "0.01,0.05,0.1,0.2");
    }

    Status run(const RunOptions& options, Report& report) override {
        NetworkShape shape = shape_;
        if (shape.nodes == 0) shape.nodes = options.quick ? 1000 : 10'000;
        const std::size_t requests = requests_ > 0 ? requests_ : options.quick ? 100 : 1000;
        const std::size_t draws = draws_ > 0 ? draws_ : options.quick ? 200 : 1000;
        report.summary("nodes", shape.nodes);
        Table table({"entry relays", "adversary", "f", "requests", "entropy", "probability", "named", "misled",
                     "a malicious entry", "entropy, formula"});
        Figure figure{.name = "named",
                      .title = "The sender is named: relays and model nodes collude",
                      .x_label = "requests of one user",
                      .y_label = "probability",
                      .style = Figure::Style::lines_and_points,
                      .log_x = true};
        Figure first{.name = "entropy",
                     .title = "What is not known of the sender of one request",
                     .x_label = "share of malicious nodes",
                     .y_label = "normalised entropy",
                     .style = Figure::Style::lines_and_points,
                     .series = {{"the paper's formula"}, {"simulated: relays"}, {"simulated: relays and model nodes"}}};
        for (double f : fractions_) first.series[0].points.emplace_back(f, formula(shape, f));
        for (bool stable : {true, false}) {
            shape.stable_entries = stable;
            auto observed = observe(shape, requests, options.seed);
            if (!observed) return std::unexpected(observed.error());
            std::string entries = stable ? "kept" : "fresh";
            report.summary("position_right_" + entries, observed->position_right);
            report.summary("entries_used_" + entries, observed->entries_used);
            report.summary("frames_" + entries, observed->frames);
            for (bool model_nodes : {true, false})
                for (double f : fractions_) {
                    Series series{entries + ", f = " + fraction_name(f)};
                    for (std::size_t count = 1; count <= requests; count *= 10) {
                        Row row = judge_draws(*observed, count, draws, model_nodes, f, shape.nodes, options.seed);
                        std::string adversary = model_nodes ? "relays and model nodes" : "relays";
                        table.add({entries, adversary, f, count, row.entropy, row.probability, row.named, row.misled,
                                   row.entry, count == 1 ? Cell(formula(shape, f)) : Cell()});
                        if (stable && count == 1) first.series[model_nodes ? 2 : 1].points.emplace_back(f, row.entropy);
                        std::string key = (model_nodes ? "with_model_" : "relays_") + entries + "_" + fraction_name(f) +
                                          "_" + std::to_string(count);
                        report.summary("named_" + key, row.named);
                        report.summary("entropy_" + key, row.entropy);
                        series.points.emplace_back(static_cast<double>(count), row.named);
                    }
                    if (model_nodes) figure.series.push_back(std::move(series));
                }
        }
        report.print("Who sent it? Relays alone: the clearest of all requests; with model nodes: all requests together",
                     table);
        report.figure(figure);
        report.figure(first);
        return report.csv("adversary", table);
    }

private:
    // For the paths that users of this network build.
    static double formula(const NetworkShape& shape, double f) { return anonymity_per_path({shape.nodes, 4, 3}, f); }

    static Result<Observed> observe(const NetworkShape& shape, std::size_t requests, std::uint64_t seed) {
        Progress progress(shape.stable_entries ? "requests, entry relays kept" : "requests, fresh entry relays",
                          requests);
        UserRounds rounds(shape, seed);
        Observed observed;
        observed.target = rounds.target();
        for (std::size_t i = 0; i < requests; ++i) {
            auto round = rounds.next();
            if (!round) return std::unexpected(round.error());
            observed.evidence.push_back(gather_evidence(rounds.recorder(), *round));
            progress.advance();
        }
        std::size_t right = 0, all = 0;
        for (const PathSeen& path : rounds.recorder().paths()) {
            if (!path.confirmed) continue;
            ++all;
            right += looks_first(path) == path.built_by_previous ? 1 : 0;
        }
        observed.position_right = static_cast<double>(right) / static_cast<double>(all);
        std::set<NodeId> entries;
        for (const auto& evidence : observed.evidence)
            for (const auto& suspicion : evidence.suspicions)
                if (suspicion.builder == observed.target) entries.insert(suspicion.relay);
        observed.entries_used = entries.size();
        observed.frames = rounds.frames();
        return observed;
    }

    static std::function<bool(const NodeId&)> draw_owned(double f, std::uint64_t draw) {
        return [f, draw](const NodeId& node) {
            auto bytes = load_big_endian<std::uint64_t>(ByteView(node.value).first(8));
            return SeededRandom(bytes ^ draw).unit() < f;
        };
    }

    // Over draws of who is malicious, each with some `count` requests in a row.
    static Row judge_draws(const Observed& observed, std::size_t count, std::size_t draws, bool model_nodes, double f,
                           std::uint64_t nodes, std::uint64_t seed) {
        SeededRandom random(seed);
        Row sums;
        for (std::size_t i = 0; i < draws; ++i) {
            Adversary adversary{draw_owned(f, random.next()), model_nodes};
            std::size_t begin = random.below(observed.evidence.size() - count + 1);
            const Evidence* evidence = observed.evidence.data() + begin;
            Verdict verdict;
            if (model_nodes) {
                verdict = judge(evidence, count, adversary, observed.target, nodes, f);
            } else {
                // Nothing tells relays that requests are of one user: each stands alone.
                for (std::size_t j = 0; j < count; ++j) {
                    Verdict one = judge(evidence + j, 1, adversary, observed.target, nodes, f);
                    verdict.entropy = std::min(verdict.entropy, one.entropy);
                    verdict.probability = std::max(verdict.probability, one.probability);
                    verdict.named = verdict.named || one.named;
                    verdict.misled = verdict.misled || one.misled;
                }
            }
            sums.entropy += verdict.entropy;
            sums.probability += verdict.probability;
            sums.named += verdict.named ? 1 : 0;
            sums.misled += verdict.misled ? 1 : 0;
            sums.entry += has_malicious_entry(evidence, count, adversary, observed.target) ? 1 : 0;
        }
        auto mean = [&](double sum) { return sum / static_cast<double>(draws); };
        return {mean(sums.entropy), mean(sums.probability), mean(sums.named), mean(sums.misled), mean(sums.entry)};
    }

    static bool has_malicious_entry(const Evidence* evidence, std::size_t count, const Adversary& adversary,
                                    const NodeId& target) {
        for (std::size_t i = 0; i < count; ++i)
            for (const auto& suspicion : evidence[i].suspicions)
                if (suspicion.builder == target && adversary.owns(suspicion.relay)) return true;
        return false;
    }

    NetworkShape shape_{.nodes = 0};
    std::size_t requests_ = 0;
    std::size_t draws_ = 0;
    std::vector<double> fractions_{0.01, 0.05, 0.1, 0.2};
};

}  // namespace

std::unique_ptr<Experiment> make_adversary_experiment() { return std::make_unique<AdversaryExperiment>(); }

}  // namespace planetserve::eval
