#include "eval/anonymity/anonymity_experiment.h"

#include "eval/anonymity/anonymity.h"
#include "eval/kit/fractions.h"

namespace planetserve::eval {

namespace {

// What this project's nodes use unless told otherwise; the paper's formulas are plotted for 4.
constexpr std::uint32_t default_relays = 3;

class AnonymityExperiment final : public Experiment {
public:
    std::string_view name() const override { return "anonymity"; }
    std::string_view description() const override {
        return "the paper's entropy of who sent a message, against the share of malicious nodes";
    }
    Basis basis() const override { return Basis::analytic; }
    std::string_view example() const override { return "--out results --N 10000 --n 4 --L 4 --f 0.01,0.1,0.5"; }

    void add_options(CLI::App& app) override {
        app.add_option("--N", nodes_, "nodes in the network (default 10000)")->check(CLI::Range(2UL, 1'000'000'000UL));
        app.add_option("--n", paths_, "paths of a message (default 4)")->check(CLI::Range(1U, 32U));
        app.add_option("--L", relays_, "relays of a path (default 4)")->check(CLI::Range(1U, 32U));
        app.add_option("--onion-L", onion_relays_, "relays of onion routing's one path (default 5)")
            ->check(CLI::Range(1U, 32U));
        add_fractions(app, fractions_, "0.001,0.01,0.05,0.1,0.2,0.3,0.5");
    }

    Status run(const RunOptions&, Report& report) override {
        const PathShape dispersed{nodes_, paths_, relays_};
        const PathShape by_default{nodes_, paths_, default_relays};
        const PathShape onion{nodes_, 1, onion_relays_};
        Table table({"f", "PlanetServe", "Garlic Cast", "Onion"});
        Table more({"f", "three_relays", "overfull_probability"});
        const auto with_relays = [](std::uint32_t relays) { return ", " + std::to_string(relays) + " relays"; };
        Series series[] = {{"PlanetServe" + with_relays(relays_)},
                           {"Garlic Cast" + with_relays(relays_)},
                           {"onion routing" + with_relays(onion_relays_)},
                           {"PlanetServe" + with_relays(default_relays) + " (default)"}};
        for (double f : fractions_) {
            double values[] = {anonymity_per_path(dispersed, f), anonymity_across_paths(dispersed, f),
                               anonymity_per_path(onion, f), anonymity_per_path(by_default, f)};
            table.add({f, values[0], values[1], values[2]});
            more.add({f, values[3], overfull_probability(dispersed, f)});
            for (std::size_t i = 0; i < std::size(series); ++i) series[i].points.emplace_back(f, values[i]);
            report.summary("planetserve_" + fraction_name(f), values[0]);
            report.summary("garlic_cast_" + fraction_name(f), values[1]);
            report.summary("onion_" + fraction_name(f), values[2]);
        }
        report.print("Normalised entropy of the sender (1: nothing is known)", table);
        report.print("With 3 relays a path; and how often the formula's suspects add up to more than one", more);
        report.figure({.name = "anonymity",
                       .title = "Uncertainty about the sender (the paper's formulas), N = " + std::to_string(nodes_) +
                                ", n = " + std::to_string(paths_),
                       .x_label = "share of malicious nodes",
                       .y_label = "normalised entropy",
                       .style = Figure::Style::lines_and_points,
                       .series = {std::begin(series), std::end(series)}});
        if (Status written = report.csv("three_relays", more); !written) return written;
        return report.csv("anonymity", table);
    }

private:
    std::uint64_t nodes_ = 10'000;
    std::uint32_t paths_ = 4;
    std::uint32_t relays_ = 4;
    std::uint32_t onion_relays_ = 5;
    std::vector<double> fractions_{0.001, 0.01, 0.05, 0.1, 0.2, 0.3, 0.5};
};

}  // namespace

std::unique_ptr<Experiment> make_anonymity_experiment() { return std::make_unique<AnonymityExperiment>(); }

}  // namespace planetserve::eval
