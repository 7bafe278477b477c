// `wide-area --live`: real node processes with the same distances between them, beside the simulator.
#pragma once

#include <CLI/App.hpp>
#include <cstdint>
#include <string>

#include "eval/kit/experiment.h"
#include "eval/kit/live/local_engine.h"

namespace planetserve::eval {

struct LiveCheck {
    bool live = false;  // --live
    std::string area = "world";
    std::uint32_t relays = 12;
    std::uint32_t visits = 0;
    std::string program;  // default: planetserve, beside this one
    LocalEngineOptions engine;

    void add_options(CLI::App& app);
    // Lines as in the simulated experiment: each node's own up to twice `line_ms`.
    Status run(const RunOptions& options, std::size_t hops, double line_ms, Report& report);
};

}  // namespace planetserve::eval
