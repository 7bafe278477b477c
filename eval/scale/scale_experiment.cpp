#include "eval/scale/scale_experiment.h"

#include <CLI/CLI.hpp>
#include <cmath>

#include "eval/scale/costs.h"
#include "eval/scale/directory_costs.h"
#include "eval/scale/group_costs.h"
#include "eval/scale/population.h"

namespace planetserve::eval {

namespace {

using Points = std::vector<std::pair<double, double>>;

std::string number(double value) { return Cell(value).text(6); }

class ScaleExperiment final : public Experiment {
public:
    std::string_view name() const override { return "scale"; }
    std::string_view description() const override {
        return "costs from 100 to 100,000 user nodes and 8 to 1,024 model nodes, and the simulator's own speed";
    }
    Basis basis() const override { return Basis::measured; }
    std::string_view example() const override { return "--out results --part simulator --nodes 10000 --minutes 60"; }

    void add_options(CLI::App& app) override {
        app.add_option("--part", part_, "directory, nodes, groups or simulator alone (default: the first three)")
            ->check(CLI::IsMember({"directory", "nodes", "groups", "simulator"}));
        app.add_option("--nodes", nodes_, "simulator: user nodes (default 10000; 300 with --quick)")
            ->check(CLI::Range(20U, 200'000U));
        app.add_option("--minutes", minutes_,
                       "simulator: of virtual time, after the first (default 60; 2 with --quick)")
            ->check(CLI::Range(1U, 600U));
    }

    Status run(const RunOptions& options, Report& report) override {
        if (part_.empty() || part_ == "directory")
            if (Status done = directory(options, report); !done) return done;
        if (part_.empty() || part_ == "nodes")
            if (Status done = nodes(options, report); !done) return done;
        if (part_.empty() || part_ == "groups")
            if (Status done = groups(options, report); !done) return done;
        if (part_ == "simulator") return simulator(options, report);
        return {};
    }

private:
    static void note_growth(Report& report, const std::string& what, const Points& points) {
        report.summary("growth_" + what, growth(points));
    }

    static Status directory(const RunOptions& options, Report& report) {
        const std::vector<std::size_t> sizes =
            options.quick ? std::vector<std::size_t>{100, 1000} : std::vector<std::size_t>{100, 1000, 10'000, 100'000};
        Table table({"users", "model nodes", "list, bytes", "block, ms", "list made, ms", "client checks, ms",
                     "first check, s", "fetched every, s", "client, bytes/s", "registry, bytes/s", "renewals/s"});
        Points list, registry;
        Figure figure{.name = "registry",
                      .title = "What the registry sends to all clients",
                      .x_label = "user nodes",
                      .y_label = "bytes a second",
                      .style = Figure::Style::lines_and_points,
                      .log_x = true,
                      .log_y = true};
        Progress progress("directory", sizes.size());
        for (std::size_t users : sizes) {
            const std::size_t models = std::max<std::size_t>(8, users / 100);
            auto cost = measure_directory(users, models, options.quick ? 10 : 30, options.seed);
            if (!cost) return std::unexpected(cost.error());
            table.add({users, models, cost->list_bytes, cost->block_seconds * 1000, cost->serialise_seconds * 1000,
                       cost->client_check_seconds * 1000, cost->first_check_seconds, cost->fetch_interval_seconds,
                       cost->client_bytes_a_second, cost->registry_bytes_a_second, cost->renewals_a_second});
            const std::string key = "users_" + std::to_string(users);
            report.summary(key + "_list_bytes", cost->list_bytes);
            report.summary(key + "_block_ms", cost->block_seconds * 1000);
            report.summary(key + "_registry_bytes_a_second", cost->registry_bytes_a_second);
            const auto x = static_cast<double>(users);
            list.emplace_back(x, static_cast<double>(cost->list_bytes));
            registry.emplace_back(x, cost->registry_bytes_a_second);
            progress.advance();
        }
        note_growth(report, "list_bytes", list);
        note_growth(report, "registry_bytes_a_second", registry);
        figure.series.push_back({"whole lists, as now", registry});
        report.print("The registry and its list (measured)", table);
        report.figure(figure);
        return report.csv("directory", table);
    }

    static void add_population(Table& table, const PopulationShape& shape, const PopulationCost& cost) {
        const double users = static_cast<double>(shape.users), seconds = to_seconds(shape.measured);
        table.add({shape.users, shape.models, cost.paths_up,
                   static_cast<double>(cost.setups) / 3 / users / seconds * 3600,
                   static_cast<double>(cost.frames) / users / seconds,
                   static_cast<double>(cost.frame_bytes) / users / seconds,
                   static_cast<double>(cost.memory_bytes) / users / 1024, cost.cpu_seconds / users / seconds * 1e6,
                   cost.requests, cost.answered, cost.events, static_cast<double>(cost.events) / cost.cpu_seconds,
                   seconds / cost.cpu_seconds});
    }
    static Table population_table() {
        return Table({"users", "model nodes", "paths up", "paths built a user and hour", "frames a user and second",
                      "bytes", "KiB a user", "CPU, us a user and second", "requests", "answered", "events", "events/s",
                      "virtual s per CPU s"});
    }

    static Status nodes(const RunOptions& options, Report& report) {
        const std::vector<std::size_t> sizes =
            options.quick ? std::vector<std::size_t>{100, 300} : std::vector<std::size_t>{100, 300, 1000, 3000};
        Table table = population_table();
        Points cpu, memory, frames;
        for (std::size_t users : sizes) {
            PopulationShape shape;
            shape.users = users;
            if (options.quick) shape.measured = 1min;
            Progress progress(std::to_string(users) + " user nodes", 100);
            auto cost = run_population(shape, options.seed,
                                       [&](double done) { progress.set(static_cast<std::uint64_t>(done * 100)); });
            add_population(table, shape, cost);
            const auto x = static_cast<double>(users);
            cpu.emplace_back(x, cost.cpu_seconds);
            memory.emplace_back(x, static_cast<double>(cost.memory_bytes));
            frames.emplace_back(x, static_cast<double>(cost.frames));
        }
        note_growth(report, "cpu_of_all_nodes", cpu);
        note_growth(report, "memory_of_all_nodes", memory);
        note_growth(report, "frames_of_all_nodes", frames);
        report.print("User nodes in virtual time (measured)", table);
        // Beyond what was simulated: in proportion to the nodes, from the largest that was.
        Table computed({"users", "GiB", "CPU s an hour", "frames a second", "paths built a second"});
        const double per_user = 1 / cpu.back().first;
        const double measured_seconds = options.quick ? 60 : to_seconds(PopulationShape{}.measured);
        for (std::size_t users : {std::size_t{10'000}, std::size_t{100'000}}) {
            const auto n = static_cast<double>(users);
            computed.add({users, memory.back().second * per_user * n / (1 << 30),
                          cpu.back().second * per_user * n / measured_seconds * 3600,
                          frames.back().second * per_user * n / measured_seconds, n * 4 / 420});
        }
        report.print("In proportion from the largest of them (computed)", computed);
        if (Status written = report.csv("nodes_computed", computed); !written) return written;
        return report.csv("nodes", table);
    }

    static Status groups(const RunOptions& options, Report& report) {
        const std::vector<std::size_t> sizes =
            options.quick ? std::vector<std::size_t>{8, 16} : std::vector<std::size_t>{8, 16, 32, 64, 128};
        constexpr double rate = 0.5;
        Table table({"model nodes", "basis", "bytes a node and second", "frames a node and second", "KiB a node",
                     "CPU, share of a core a node"});
        Points bytes, frames, memory, cpu;
        Progress progress("groups", sizes.size());
        for (std::size_t nodes : sizes) {
            auto cost = measure_group(nodes, rate, options.quick ? 10s : 30s, options.seed);
            table.add({nodes, "measured", cost.sync_bytes_a_second, cost.sync_frames_a_second, cost.memory_bytes / 1024,
                       cost.cpu_share});
            const auto x = static_cast<double>(nodes);
            bytes.emplace_back(x, cost.sync_bytes_a_second);
            frames.emplace_back(x, cost.sync_frames_a_second);
            memory.emplace_back(x, cost.memory_bytes);
            cpu.emplace_back(x, cost.cpu_share);
            report.summary("models_" + std::to_string(nodes) + "_sync_bytes_a_node_and_second",
                           cost.sync_bytes_a_second);
            progress.advance();
        }
        note_growth(report, "sync_bytes_a_node", bytes);
        auto continued = [](const Points& points, double to) {
            const Points last(points.end() - 2, points.end());
            return points.back().second * std::pow(to / points.back().first, growth(last));
        };
        for (std::size_t nodes : {std::size_t{256}, std::size_t{512}, std::size_t{1024}}) {
            const auto x = static_cast<double>(nodes);
            table.add({nodes, "computed", continued(bytes, x), continued(frames, x), continued(memory, x) / 1024,
                       continued(cpu, x)});
        }
        report.print("What model nodes of one group tell each other, " + number(rate) + " requests a node and second",
                     table);
        return report.csv("groups", table);
    }

    Status simulator(const RunOptions& options, Report& report) const {
        PopulationShape shape;
        shape.users = nodes_ > 0 ? nodes_ : options.quick ? 300 : 10'000;
        shape.measured = std::chrono::minutes(minutes_ > 0 ? minutes_ : options.quick ? 2 : 60);
        Table table = population_table();
        Progress progress(std::to_string(shape.users) + " user nodes", 100);
        auto cost = run_population(shape, options.seed,
                                   [&](double done) { progress.set(static_cast<std::uint64_t>(done * 100)); });
        add_population(table, shape, cost);
        report.summary("users", shape.users);
        report.summary("virtual_seconds", to_seconds(shape.measured));
        report.summary("cpu_seconds", cost.cpu_seconds);
        report.summary("cpu_seconds_an_hour", cost.cpu_seconds / to_seconds(shape.measured) * 3600);
        report.summary("warm_up_cpu_seconds", cost.warm_up_cpu_seconds);
        report.summary("memory_mib", static_cast<double>(cost.memory_bytes) / (1 << 20));
        report.summary("paths_up", cost.paths_up);
        report.summary("answered", cost.answered);
        report.summary("requests", cost.requests);
        report.print("The simulator", table);
        return report.csv("simulator", table);
    }

    std::string part_;
    std::uint32_t nodes_ = 0;
    std::uint32_t minutes_ = 0;
};

}  // namespace

std::unique_ptr<Experiment> make_scale_experiment() { return std::make_unique<ScaleExperiment>(); }

}  // namespace planetserve::eval
