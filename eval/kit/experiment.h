// An experiment of `planetserve_eval`: a name, what its figures are worth, options of its own, and what it does.
//
// To add one: derive from Experiment in a folder of its own under eval/, give it a function that makes it, and name
// that function in eval/experiments.cpp and the folder in eval/CMakeLists.txt. Options are members that add_options
// binds.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "eval/kit/report.h"

namespace planetserve::eval {

// Where an experiment's figures come from. A summary always says it.
enum class Basis : std::uint8_t {
    analytic,   // computed from formulas or by sampling them
    simulated,  // this project's code in virtual time, around a model of what is not there
    measured,   // this project's code timed on this machine
    live,       // real servers answer real requests
};
std::string_view to_string(Basis basis);

// What every experiment is given.
struct RunOptions {
    std::uint64_t seed = 1;
    bool quick = false;  // seconds instead of minutes, with figures that are rougher
};

class Experiment {
public:
    virtual ~Experiment() = default;
    virtual std::string_view name() const = 0;         // one word, as on the command line
    virtual std::string_view description() const = 0;  // one line
    virtual Basis basis() const = 0;
    virtual std::string_view example() const = 0;  // options of a typical run, for --help
    // False: needs servers or an engine, which `eval all` does not start.
    virtual bool runs_alone() const { return true; }
    // For those that run alone: not_found, saying what is missing and how to get it, where this machine lacks
    // something. `eval all` says so and goes on.
    virtual Status ready() const { return {}; }

    virtual void add_options(CLI::App&) {}
    // What ./planetserve must make ready for a run with these options: "engine", "models", "routers" (those that
    // `peers` compares with).
    virtual std::vector<std::string_view> needs() const { return {}; }
    // Writes through the report, which the caller finishes. An error ends the program with its message and exit code 1.
    virtual Status run(const RunOptions& options, Report& report) = 0;
};

// All of them, in the order of `eval list`.
std::vector<std::unique_ptr<Experiment>> all_experiments();

}  // namespace planetserve::eval
