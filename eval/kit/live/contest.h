// The same work through several arms, one after the other: each gets engines of its own with empty caches, or is a
// network that brings its engines.
#pragma once

#include <functional>
#include <limits>

#include "eval/kit/live/local_network.h"
#include "eval/kit/report.h"
#include "eval/workload/results.h"

namespace planetserve::eval {

// What the driver talks to in an arm, and what has to live while it does.
struct Front {
    std::vector<std::string> endpoints;
    std::string model;  // empty: asked of the endpoints
    std::vector<std::unique_ptr<LocalServer>> servers = {};
    std::unique_ptr<TemporaryFolder> folder = {};
};

struct ContestArm {
    std::string name;  // letters, digits and '_': it becomes part of keys and file names
    std::string what;  // in words
    bool needs_engines = true;
    // Puts something in front of the engines.
    std::function<Result<Front>(boost::asio::io_context& context, const std::vector<std::string>& engines,
                                const std::filesystem::path& log_folder)>
        open;
};

struct Contest {
    LocalEngineOptions engines;
    std::size_t engine_count = 4;
    std::uint64_t seed = 1;
    double load = 0.7;  // of what the engines can do, for the arrival rate
    double rate = 0;    // or the rate itself

    void add_options(CLI::App& app);

    // Gives the items Poisson times, at a rate that is measured first if it is not given: 20 requests at once, in turn
    // over the engines. Says what it found in the summary.
    Status time(std::vector<WorkItem>& items, Report& report) const;

    // Writes requests_ARM.csv and metrics_ARM.csv for each arm, arms.csv, figures and the summary's keys, each with the
    // arm's name before it. `ceiling` is the share of prompt tokens that one infinite cache would hold.
    Status run(const std::vector<ContestArm>& arms, const std::vector<WorkItem>& items, double ceiling,
               Report& report) const;

private:
    struct Outcome {
        RunSummary summary;  // load_max_over_mean is of the engines' tokens
        std::vector<double> ttft;
        double other_cores = std::numeric_limits<double>::quiet_NaN();  // busy with what is not the arm's
    };
    Result<Outcome> run_arm(const ContestArm& arm, const std::vector<WorkItem>& items, Report& report) const;
};

// The engines in turn, nothing in between.
ContestArm round_robin_arm();
// A network of this machine, started for the arm and with engines of its own like the others'.
ContestArm network_arm(std::string name, std::string what, LocalNetworkOptions options);
// A network that is already there: `url` is the base URL of a user node's API.
ContestArm network_arm(std::string name, std::string what, std::string url);

}  // namespace planetserve::eval
