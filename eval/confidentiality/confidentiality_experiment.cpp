#include "eval/confidentiality/confidentiality_experiment.h"

#include "eval/confidentiality/clove_attack.h"
#include "eval/confidentiality/confidentiality.h"
#include "eval/kit/fractions.h"

namespace planetserve::eval {

namespace {

constexpr std::uint64_t quick_runs = 200'000;
// Messages for each fraction that are really dispersed and attacked.
constexpr std::uint64_t real_messages = 4'000;
constexpr std::uint64_t quick_real_messages = 1'000;

std::vector<double> standard_fractions() {
    std::vector<double> fractions;
    for (int i = 0; i < 10; ++i) fractions.push_back((1 + 11 * i) / 1000.0);
    return fractions;
}

class ConfidentialityExperiment final : public Experiment {
public:
    std::string_view name() const override { return "confidentiality"; }
    std::string_view description() const override {
        return "how often an attack on one message fails: formulas, samples, and the attack on real cloves";
    }
    Basis basis() const override { return Basis::analytic; }
    std::string_view example() const override { return "--out results --n 4 --k 3 --L 4 --f 0.01,0.1 --runs 50000"; }

    void add_options(CLI::App& app) override {
        app.add_option("--N", nodes_, "nodes in the network (default 10000)")->check(CLI::Range(1UL, 1'000'000'000UL));
        app.add_option("--n", paths_, "paths and cloves of a message (default 4)")->check(CLI::Range(1U, 32U));
        app.add_option("--k", needed_, "cloves that recover it (default 3)")->check(CLI::Range(1U, 32U));
        app.add_option("--L", relays_, "relays of a path (default 4)")->check(CLI::Range(1U, 32U));
        app.add_option("--garlic-L", garlic_relays_, "relays of a path of Garlic Cast (default 6)")
            ->check(CLI::Range(1U, 32U));
        add_fractions(app, fractions_, "0.001 to 0.1 in 10 steps");
        app.add_option("--runs", runs_, "messages sampled for each f (default 1000000; 200000 with --quick)")
            ->check(CLI::Range(1UL, 1'000'000'000UL));
    }

    Status run(const RunOptions& options, Report& report) override {
        if (needed_ > paths_)
            return fail(ErrorCode::invalid_argument, "--k " + std::to_string(needed_) + " is more than --n " +
                                                         std::to_string(paths_) + ": a message has n cloves");
        const std::uint64_t runs = runs_ > 0 ? runs_ : options.quick ? quick_runs : 1'000'000;
        report.summary("runs", runs);
        if (Status done = formulas(options, runs, report); !done) return done;
        return attack(options, report);
    }

private:
    DispersalShape shape(std::uint32_t relays) const { return {nodes_, paths_, needed_, relays}; }

    Status formulas(const RunOptions& options, std::uint64_t runs, Report& report) const {
        const std::vector<std::string> columns{"f", "Garlic Cast (no SNP)", "Garlic Cast (SNP)", "PlanetServe (no SNP)",
                                               "PlanetServe (SNP)"};
        Table sampled(columns);
        Table exact(columns);
        Series series[] = {{"Garlic Cast"}, {"PlanetServe"}};
        SeededRandom random(options.seed);
        Progress progress("sampling", fractions_.size());
        double farthest = 0;
        for (double f : fractions_) {
            std::vector<Cell> sampled_row{f};
            std::vector<Cell> exact_row{f};
            for (std::size_t system = 0; system < 2; ++system) {
                auto dispersed = shape(system == 0 ? garlic_relays_ : relays_);
                Survival drawn = sample_survival(dispersed, f, runs, random);
                Survival right{survives_collusion(dispersed, f), survives_single_nodes(dispersed, f)};
                farthest = std::max({farthest, std::abs(drawn.collusion - right.collusion),
                                     std::abs(drawn.single_nodes - right.single_nodes)});
                for (double value : {drawn.collusion, drawn.single_nodes}) sampled_row.emplace_back(value);
                for (double value : {right.collusion, right.single_nodes}) exact_row.emplace_back(value);
                series[system].points.emplace_back(f, right.collusion);
                std::string prefix = system == 0 ? "garlic_cast_" : "planetserve_";
                report.summary(prefix + "collusion_" + fraction_name(f), right.collusion);
                report.summary(prefix + "single_nodes_" + fraction_name(f), right.single_nodes);
            }
            sampled.add(std::move(sampled_row));
            exact.add(std::move(exact_row));
            progress.advance();
        }
        report.summary("largest_difference_of_samples", farthest);
        report.print("An attack on one message fails: exactly", exact);
        report.print("The same from " + std::to_string(runs) + " sampled messages for each f", sampled);
        report.figure({.name = "confidentiality",
                       .title = "An attack on one message fails, all malicious nodes colluding",
                       .x_label = "share of malicious nodes",
                       .y_label = "probability",
                       .style = Figure::Style::lines_and_points,
                       .series = {{series[0], series[1], sealed_series()}}});
        if (Status written = report.csv("exact", exact); !written) return written;
        return report.csv("confidentiality", sampled);
    }

    Series sealed_series() const {
        Series sealed{"this project, sealed: relays"};
        for (double f : fractions_) sealed.points.emplace_back(f, 1.0);
        return sealed;
    }

    // The messages whose cloves the adversaries capture are real ones.
    Status attack(const RunOptions& options, Report& report) const {
        const std::uint64_t messages = options.quick ? quick_real_messages : real_messages;
        const dispersal::Threshold threshold{static_cast<std::uint8_t>(paths_), static_cast<std::uint8_t>(needed_)};
        Table table({"f", "messages", "k captured", "read, as in the paper", "read, sealed", "fails, sealed: relays",
                     "relays and model node", "and a second model node"});
        SeededRandom random(options.seed + 1);
        Progress progress("attacking real cloves", fractions_.size() * messages);
        std::uint64_t all_captured = 0, all_open = 0, all_sealed = 0;
        for (double f : fractions_) {
            CaptureSampler sampler(shape(relays_), f, random);
            CloveAttack attack(threshold, random);
            std::uint64_t captured = 0, open = 0, sealed = 0;
            for (std::uint64_t message = 0; message < messages; ++message, progress.advance()) {
                const auto& capture = sampler.draw();
                if (captured_paths(capture) < needed_) continue;
                ++captured;
                auto read = [&](const std::vector<Bytes>& cloves) {
                    return attack.adversaries_read(seen(cloves, capture));
                };
                open += read(attack.disperse()) ? 1 : 0;
                auto cloves = attack.disperse_sealed();
                sealed += read(cloves) ? 1 : 0;
                if (!attack.model_node_reads(seen(cloves, capture)))
                    return fail(ErrorCode::internal, "the model node could not read its own request");
            }
            double survived = 1 - static_cast<double>(sealed) / static_cast<double>(messages);
            table.add(
                {f, messages, captured, open, sealed, survived, survived * (1 - f), survived * (1 - f) * (1 - f)});
            all_captured += captured;
            all_open += open;
            all_sealed += sealed;
        }
        report.summary("attacked_messages", all_captured);
        report.summary("read_as_in_the_paper", all_open);
        report.summary("read_sealed", all_sealed);
        report.print("Real cloves, put together across paths by colluding relays", table);
        return report.csv("sealed", table);
    }

    static std::vector<ByteView> seen(const std::vector<Bytes>& cloves, const CaptureSampler::Capture& capture) {
        std::vector<ByteView> views;
        for (std::size_t path = 0; path < cloves.size(); ++path)
            if (capture[path]) views.emplace_back(cloves[path]);
        return views;
    }

    std::uint64_t nodes_ = 10'000;
    std::uint32_t paths_ = 4;
    std::uint32_t needed_ = 3;
    std::uint32_t relays_ = 4;
    std::uint32_t garlic_relays_ = 6;
    std::vector<double> fractions_ = standard_fractions();
    std::uint64_t runs_ = 0;
};

}  // namespace

std::unique_ptr<Experiment> make_confidentiality_experiment() { return std::make_unique<ConfidentialityExperiment>(); }

}  // namespace planetserve::eval
