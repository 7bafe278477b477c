// `planetserve_eval`: runs the experiments, one by name or all that need nothing but this program.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <csignal>
#include <iostream>

#include "eval/kit/experiment.h"

using namespace planetserve;
using namespace planetserve::eval;

namespace {

struct CommandLine {
    RunOptions options;
    std::string out;

    void add_to(CLI::App* verb) {
        verb->add_option("--out", out, "the folder for results")->required();
        verb->add_option("--seed", options.seed, "of everything that is drawn (default 1)");
        verb->add_flag("--quick", options.quick, "less of it: seconds instead of minutes, and rougher figures");
    }
};

int error_exit(std::string_view message) {
    std::cerr << "planetserve_eval: " << message << '\n';
    return 1;
}

int run(Experiment& experiment, const RunOptions& options, const std::filesystem::path& folder) {
    auto report = Report::open(folder);
    if (!report) return error_exit(report.error().message);
    auto start = std::chrono::steady_clock::now();
    report->summary("experiment", std::string(experiment.name()));
    report->summary("basis", std::string(to_string(experiment.basis())));
    report->summary("seed", options.seed);
    report->summary("quick", options.quick);
    std::cout << experiment.name() << " (" << to_string(experiment.basis()) << "): " << experiment.description()
              << std::endl;
    try {
        if (Status done = experiment.run(options, *report); !done)
            return error_exit(std::string(experiment.name()) + ": " + done.error().message);
    } catch (const std::exception& error) {
        return error_exit(std::string(experiment.name()) + ": " + error.what());
    }
    report->summary("run_seconds", std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    if (Status written = report->finish(); !written) return error_exit(written.error().message);
    return 0;
}

void list(const std::vector<std::unique_ptr<Experiment>>& experiments) {
    Table table({"name", "basis", "in all", "what it shows"});
    for (const auto& experiment : experiments)
        table.add({experiment->name(), to_string(experiment->basis()), experiment->runs_alone() ? "yes" : "no",
                   experiment->description()});
    std::cout << table.plain();
}

int run_all(const std::vector<std::unique_ptr<Experiment>>& experiments, const CommandLine& line) {
    std::vector<std::string> failed;
    for (const auto& experiment : experiments) {
        std::string name(experiment->name());
        if (!experiment->runs_alone()) {
            std::cout << name << ": skipped, it needs servers or an engine (planetserve eval " << name
                      << " --help)\n\n";
            continue;
        }
        if (Status ready = experiment->ready(); !ready) {
            std::cout << name << ": skipped: " << ready.error().message << "\n\n";
            continue;
        }
        if (run(*experiment, line.options, std::filesystem::path(line.out) / name) != 0) failed.push_back(name);
        std::cout << std::endl;
    }
    if (failed.empty()) return 0;
    std::string names;
    for (const auto& name : failed) names += " " + name;
    return error_exit("failed:" + names);
}

// `planetserve_eval needs NAME ...`: one word a line, for ./planetserve.
int tell_needs(const Experiment& experiment) {
    for (std::string_view need : experiment.needs()) std::cout << need << '\n';
    return 0;
}

int unknown(const std::vector<std::unique_ptr<Experiment>>& experiments, std::string_view name) {
    std::cerr << "planetserve_eval: no experiment \"" << name << "\"; there are: list all";
    for (const auto& experiment : experiments) std::cerr << ' ' << experiment->name();
    std::cerr << '\n';
    return 2;
}

}  // namespace

int main(int argc, char** argv) {
    const bool needs_alone = argc > 1 && std::string_view(argv[1]) == "needs";
    if (needs_alone) {
        --argc;
        ++argv;
    }
    std::signal(SIGPIPE, SIG_IGN);  // a server that goes away is an error of the write
    auto experiments = all_experiments();
    CLI::App app{
        "The experiments of PlanetServe. Each writes CSV files, figures and summary.json into a folder.\n\n"
        "  planetserve_eval list\n"
        "  planetserve_eval all --quick --out results          those that need no servers\n"
        "  planetserve_eval workload --help\n"};
    app.require_subcommand(1);
    CommandLine line;
    int code = 0;
    app.add_subcommand("list", "which experiments there are")->callback([&] {
        if (!needs_alone) list(experiments);
    });
    auto* all = app.add_subcommand("all", "all that need no servers, each in a folder of its name");
    line.add_to(all);
    all->callback([&] { code = needs_alone ? 0 : run_all(experiments, line); });
    for (const auto& experiment : experiments) {
        auto* verb = app.add_subcommand(std::string(experiment->name()), std::string(experiment->description()));
        verb->footer("\nExample:\n  planetserve_eval " + std::string(experiment->name()) + " " +
                     std::string(experiment->example()));
        line.add_to(verb);
        experiment->add_options(*verb);
        verb->callback([&code, &line, &experiment, needs_alone] {
            code = needs_alone ? tell_needs(*experiment) : run(*experiment, line.options, line.out);
        });
    }
    if (argc > 1 && argv[1][0] != '-' && !needs_alone) {
        std::string_view name = argv[1];
        bool known = name == "list" || name == "all" ||
                     std::ranges::any_of(experiments, [&](const auto& one) { return one->name() == name; });
        if (!known) return unknown(experiments, name);
    }
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (needs_alone) return 0;  // the command itself says what is wrong with it
        return app.exit(error) == 0 ? 0 : 2;
    }
    return code;
}
