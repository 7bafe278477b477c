#include "eval/wide_area/wide_area_experiment.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "base/random.h"
#include "eval/kit/statistics.h"
#include "eval/wide_area/live_check.h"
#include "eval/wide_area/wide_overlay.h"

namespace planetserve::eval {

namespace {

double milliseconds(Duration duration) { return to_seconds(duration) * 1000; }

// What all users of one area went through, in milliseconds.
struct Samples {
    std::vector<double> setup;
    std::vector<double> telescoping;
    std::vector<double> first_token;
    std::vector<double> direct;
    std::size_t users = 0;
    std::size_t replaced = 0;  // paths that did not come up the first time
    std::size_t failed = 0;    // requests
};

class WideAreaExperiment final : public Experiment {
public:
    std::string_view name() const override { return "wide-area"; }
    std::string_view description() const override {
        return "path set-up and time to first token across the United States and the world; --live with real nodes";
    }
    Basis basis() const override { return live_.live ? Basis::live : Basis::simulated; }
    std::string_view example() const override { return "--out results --users 400"; }
    std::vector<std::string_view> needs() const override {
        if (!live_.live) return {};
        return {"engine", "models"};
    }

    void add_options(CLI::App& app) override {
        app.add_option("--relays", relays_, "user nodes that relay, in each area (default 600; 200 with --quick)")
            ->check(CLI::Range(20U, 20'000U));
        app.add_option("--users", users_, "who build paths and ask, in each area (default 600; 80 with --quick)")
            ->check(CLI::Range(1U, 20'000U));
        app.add_option("--models", models_, "model nodes in each area (default 12)")->check(CLI::Range(1U, 1000U));
        app.add_option("--hops", hops_, "relays a path (default 3)")->check(CLI::Range(1U, 8U));
        app.add_option("--line-ms", line_ms_,
                       "round trip over a user's own line, on average; each gets up to twice that (default 10)")
            ->check(CLI::Range(0.0, 1000.0));
        app.add_option("--engine-ms", engine_ms_, "what an engine takes to its first token (default 200)")
            ->check(CLI::Range(0.0, 60'000.0));
        live_.add_options(app);
    }

    Status run(const RunOptions& options, Report& report) override {
        if (live_.live) return live_.run(options, hops_, line_ms_, report);
        const std::uint32_t relays = relays_ > 0 ? relays_ : options.quick ? 200 : 600;
        const std::uint32_t users = users_ > 0 ? users_ : options.quick ? 80 : 600;
        report.summary("relays", relays);
        report.summary("users", users);
        Table table({"area", "links", "set-up p50, ms", "p90", "p99", "telescoping p50", "p90", "first token p50",
                     "p90", "direct p50", "p90", "paths replaced", "failed"});
        Table figures({"area", "links", "what", "ms"});
        Figure setup{.name = "setup",
                     .title = "Path set-up, " + std::to_string(hops_) + " relays",
                     .x_label = "ms",
                     .y_label = "share of paths",
                     .style = Figure::Style::steps};
        Figure tokens{.name = "first_token",
                      .title = "Time to first token",
                      .x_label = "ms",
                      .y_label = "share of requests",
                      .style = Figure::Style::steps};
        for (Area area : {Area::us, Area::world}) {
            for (bool links_up : {false, true}) {
                Samples samples = simulate(area, relays, users, links_up, options.seed);
                if (samples.setup.empty() || samples.first_token.empty())
                    return fail(ErrorCode::unavailable, "no path came up in the simulated network");
                std::string where(to_string(area)), links = links_up ? "up" : "new";
                add_row(table, where, links, samples);
                summarise(report, where + "_" + links, samples);
                for (const auto& [what, values] :
                     {std::pair{"setup", &samples.setup}, std::pair{"telescoping", &samples.telescoping},
                      std::pair{"first_token", &samples.first_token}, std::pair{"direct", &samples.direct}})
                    for (double value : *values) figures.add({where, links, what, value});
                std::string label = where + ", links " + links;
                setup.series.push_back(cumulative_distribution(label, samples.setup));
                setup.series.push_back(cumulative_distribution(label + ", telescoping", samples.telescoping));
                tokens.series.push_back(cumulative_distribution(label, samples.first_token));
                tokens.series.push_back(cumulative_distribution(label + ", direct", samples.direct));
            }
        }
        report.print("Simulated, milliseconds; telescoping and direct: from the same round trips, by formula", table);
        report.figure(setup);
        report.figure(tokens);
        if (Status written = report.csv("samples", figures); !written) return written;
        return report.csv("wide_area", table);
    }

private:
    Samples simulate(Area area, std::uint32_t relays, std::uint32_t users, bool links_up, std::uint64_t seed) const {
        SeededRandom random(seed);
        const auto regions = regions_of(area);
        auto place = [&](std::size_t number) {
            return Place{regions[number % regions.size()],
                         Duration(static_cast<std::int64_t>(random.unit() * 2 * line_ms_ * 1000))};
        };
        OverlayShape shape;
        shape.hops = hops_;
        shape.engine = Duration(static_cast<std::int64_t>(engine_ms_ * 1000));
        for (std::size_t i = 0; i < relays; ++i) shape.relays.push_back(place(i));
        for (std::size_t i = 0; i < models_; ++i) shape.models.push_back({regions[i % regions.size()], {}});
        WideOverlay overlay(shape, random.next());
        Progress progress(std::string(to_string(area)) + (links_up ? ", links up" : ", new links"), users);
        Samples samples;
        samples.users = users;
        for (std::size_t i = 0; i < users; ++i) {
            UserSample user = overlay.visit(place(i), links_up ? LinksUp::all : LinksUp::none);
            samples.replaced += user.failed_paths;
            for (const PathSample& path : user.paths) {
                samples.setup.push_back(milliseconds(path.setup));
                samples.telescoping.push_back(milliseconds(telescoping(path.links, links_up)));
            }
            const auto& token = links_up ? user.later : user.first;
            if (token) {
                samples.first_token.push_back(milliseconds(*token));
                // HTTPS: the connection, TLS 1.3, and the question with its answer; or the last alone.
                samples.direct.push_back(milliseconds(user.direct * (links_up ? 1 : 3) + shape.engine));
            } else {
                ++samples.failed;
            }
            progress.advance();
        }
        return samples;
    }

    static void add_row(Table& table, const std::string& area, const std::string& links, const Samples& samples) {
        Distribution setup = distribution(samples.setup), telescope = distribution(samples.telescoping),
                     token = distribution(samples.first_token), direct = distribution(samples.direct);
        table.add({area, links, setup.p50, setup.p90, setup.p99, telescope.p50, telescope.p90, token.p50, token.p90,
                   direct.p50, direct.p90, samples.replaced, samples.failed});
    }

    static void summarise(Report& report, const std::string& key, const Samples& samples) {
        for (const auto& [what, values] :
             {std::pair{"setup", &samples.setup}, std::pair{"telescoping", &samples.telescoping},
              std::pair{"first_token", &samples.first_token}, std::pair{"direct", &samples.direct}}) {
            Distribution all = distribution(*values);
            report.summary(key + "_" + what + "_ms_p50", all.p50);
            report.summary(key + "_" + what + "_ms_p90", all.p90);
        }
        report.summary(key + "_paths_replaced", samples.replaced);
        report.summary(key + "_failed", samples.failed);
    }

    std::uint32_t relays_ = 0;
    std::uint32_t users_ = 0;
    std::uint32_t models_ = 12;
    std::uint32_t hops_ = 3;
    double line_ms_ = 10;
    double engine_ms_ = 200;
    LiveCheck live_;
};

}  // namespace

std::unique_ptr<Experiment> make_wide_area_experiment() { return std::make_unique<WideAreaExperiment>(); }

}  // namespace planetserve::eval
