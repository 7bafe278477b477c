// For tests: an experiment run into a folder that goes away, with options as on a command line.
#pragma once

#include <CLI/CLI.hpp>

#include "eval/kit/experiment.h"
#include "eval/kit/files.h"

namespace planetserve::eval {

// Its summary and what else it wrote, while the folder lives.
struct Ran {
    std::string summary;
    std::string file(const std::string& name) const { return read_file(folder->path / name, 10 << 20).value(); }

    std::unique_ptr<TemporaryFolder> folder;
};

// Throws CLI::ParseError for options that are refused.
inline Result<Ran> run_experiment(Experiment& experiment, const std::string& options, RunOptions run = {1, true}) {
    CLI::App app;
    experiment.add_options(app);
    app.parse(options);
    Ran ran{{}, std::make_unique<TemporaryFolder>()};
    auto report = Report::open(ran.folder->path);
    if (!report) return std::unexpected(report.error());
    if (Status done = experiment.run(run, *report); !done) return std::unexpected(done.error());
    ran.summary = report->summary_json();
    return ran;
}

}  // namespace planetserve::eval
