#include "eval/wide_area/live_check.h"

#include <CLI/CLI.hpp>

namespace planetserve::eval {
void LiveCheck::add_options(CLI::App& app) { app.add_flag("--live", asked, "x"); }
Status LiveCheck::run(const RunOptions&, Report&) { return {}; }
}  // namespace planetserve::eval
